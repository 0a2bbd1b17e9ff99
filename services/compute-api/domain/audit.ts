import { type RequestContext, sqlSeconds } from '@folsom/core';
import { lastAuditPeriod } from '@folsom/nova/audit-period';
import { listServices } from '@folsom/nova/services';
import type { Deps } from './deps.ts';

interface TaskLog {
  host: string;
  state: string;
  task_items: number | null;
  errors: number | null;
  message: string;
}

/** How the hosts fared with the audit of the last period. */
export interface AuditReport {
  period_beginning: string;
  period_ending: string;
  num_hosts: number;
  num_hosts_done: number;
  num_hosts_running: number;
  num_hosts_not_run: number;
  hosts_not_run: string[];
  total_instances: number;
  total_errors: number;
  overall_status: string;
  log: Record<string, { state: string; instances: number | null; errors: number | null; message: string }>;
}

/** Of the last period that was over before a moment, default now; hosts whose compute service is disabled count as well. */
export async function auditReport(
  deps: Deps,
  _context: RequestContext,
  before: number = deps.clock.now(),
): Promise<AuditReport> {
  const { begin, end } = lastAuditPeriod(deps.config.instance_usage_audit_period, before);
  const [period_beginning, period_ending] = [sqlSeconds(begin), sqlSeconds(end)];
  const logs = (await deps.db
    .knex('task_log')
    .where({ task_name: 'instance_usage_audit', period_beginning, period_ending })
    .orderBy('id')) as TaskLog[];
  const services = await listServices(deps.db.knex, { topic: 'compute' });
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
