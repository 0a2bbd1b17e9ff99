import { sqlSeconds } from '@folsom/core';
import { fromSqlTime } from '@folsom/db';
import { listServices } from '@folsom/nova/services';
import { lastAuditPeriod } from '../../domain/audit-period.ts';
import { ok } from '../http/answer.ts';
import type { Extension } from '../http/extension.ts';
import { badRequest } from '../http/faults.ts';
import { authorizeExtension } from '../http/front.ts';
import { type ApiRequest, type JsonObject, param } from '../http/request.ts';

interface TaskLog {
  host: string;
  state: string;
  task_items: number | null;
  errors: number | null;
  message: string;
}

/** How the hosts fared with the audit of a period; hosts whose compute service is disabled count as well. */
async function report(api: ApiRequest, before: number): Promise<JsonObject> {
  const { config, db } = api.deps;
  const { begin, end } = lastAuditPeriod(config.instance_usage_audit_period, before);
  const [period_beginning, period_ending] = [sqlSeconds(begin), sqlSeconds(end)];
  const logs = (await db
    .knex('task_log')
    .where({ task_name: 'instance_usage_audit', period_beginning, period_ending })
    .orderBy('id')) as TaskLog[];
  const services = await listServices(db.knex, { topic: 'compute' });
  const hosts = new Set(services.map(service => service.host));
  const inState = (state: string) =>
    new Set(logs.filter(log => log.state === state).map(log => log.host)).size;
  const seen = new Set(logs.map(log => log.host));
  const missing = [...hosts].filter(host => !seen.has(host));
  const done = inState('DONE');
  const sum = (of: (log: TaskLog) => number | null) => logs.reduce((total, log) => total + (of(log) ?? 0), 0);
  const errors = sum(log => log.errors);
  const share = done === hosts.size ? 'ALL' : `${done} of ${hosts.size}`;
  return {
    period_beginning,
    period_ending,
    num_hosts: hosts.size,
    num_hosts_done: done,
    num_hosts_running: inState('RUNNING'),
    num_hosts_not_run: missing.length,
    hosts_not_run: missing,
    total_instances: sum(log => log.task_items),
    total_errors: errors,
    overall_status: `${share} hosts done. ${errors} errors.`,
    log: Object.fromEntries(
      logs.map(({ host, state, task_items, errors: failed, message }) => [
        host,
        { state, instances: task_items, errors: failed, message },
      ]),
    ),
  };
}

export const extension: Extension = {
  alias: 'os-instance_usage_audit_log',
  name: 'OSInstanceUsageAuditLog',
  namespace: 'http://docs.openstack.org/ext/services/api/v1.1',
  updated: '2012-07-06T01:00:00+00:00',
  description: 'Admin-only Task Log Monitoring',
  resources: [
    {
      path: 'os-instance_usage_audit_log',
      index: {
        handle: async api => {
          authorizeExtension(api.deps, api.context, 'instance_usage_audit_log');
          return ok({ instance_usage_audit_logs: await report(api, api.deps.clock.now()) });
        },
      },
      show: {
        handle: async api => {
          authorizeExtension(api.deps, api.context, 'instance_usage_audit_log');
          const text = param(api, 'id');
          const before = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,6})?$/.test(text) ? fromSqlTime(text) : null;
          if (before === null) throw badRequest(`Invalid timestamp for date ${text}`);
          return ok({ instance_usage_audit_log: await report(api, before) });
        },
      },
    },
  ],
};
