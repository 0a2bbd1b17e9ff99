import type { Extension } from '../http/api.ts';
import { badRequest } from '../http/faults.ts';
import { operation } from '../http/operation.ts';

const policy = 'compute_extension:instance_usage_audit_log';

/** `2012-09-27 10:00:00` in UTC, with or without a fraction. */
function timeOf(text: string): number {
  const [, day, time] = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.\d{1,6})?$/.exec(text) ?? [];
  const ms = day === undefined ? Number.NaN : Date.parse(`${day}T${time}Z`);
  if (Number.isNaN(ms)) throw badRequest(`Invalid timestamp for date ${text}`);
  return ms;
}

export const extension: Extension = {
  alias: 'os-instance_usage_audit_log',
  name: 'OSInstanceUsageAuditLog',
  namespace: 'http://docs.openstack.org/ext/services/api/v1.1',
  updated: '2012-07-06T01:00:00+00:00',
  description: 'Admin-only Task Log Monitoring',
  resources: ['/os-instance_usage_audit_log'],
  operations: [
    operation({
      name: 'ShowLastUsageAudit',
      about: 'How the hosts fared with the audit of the last period.',
      method: 'GET',
      path: '/os-instance_usage_audit_log',
      policy,
      answers: 200,
      run: async ({ domain, context }) => ({
        instance_usage_audit_logs: await domain.usage.audit(context),
      }),
    }),
    operation({
      name: 'ShowUsageAudit',
      about: 'The same of the last period that was over before a time.',
      method: 'GET',
      path: '/os-instance_usage_audit_log/:id',
      policy,
      answers: 200,
      run: async ({ domain, context, params }) => ({
        instance_usage_audit_log: await domain.usage.audit(context, timeOf(params.id)),
      }),
    }),
  ],
};
