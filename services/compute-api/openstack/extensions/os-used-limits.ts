import { hasReserved, usagesOf } from '@folsom/nova/quotas';
import { allowed } from '../../domain/policy.ts';
import type { Extension } from '../http/extension.ts';

const NAMESPACE = 'http://docs.openstack.org/compute/ext/used_limits/api/v1.1';

export const extension: Extension = {
  alias: 'os-used-limits',
  name: 'UsedLimits',
  namespace: NAMESPACE,
  updated: '2012-07-13T00:00:00+00:00',
  description: 'Provide data on limited resources that are being used.',
  limits: async (api, absolute) => {
    if (!allowed(api.deps, api.context, 'compute_extension:used_limits')) return;
    const { knex } = api.deps.db;
    const projectId = api.context.projectId ?? '';
    const usages = await usagesOf(knex, projectId);
    absolute.totalRAMUsed = usages.ram.in_use;
    absolute.totalCoresUsed = usages.cores.in_use;
    absolute.totalInstancesUsed = usages.instances.in_use;
    absolute.totalVolumesUsed = usages.volumes.in_use;
    absolute.totalVolumeGigabytesUsed = usages.gigabytes.in_use;
    absolute.totalFloatingIpsUsed = usages.floating_ips.in_use;
    // The default group is made without a reservation: Folsom counts it once the tenant has reserved another.
    absolute.totalSecurityGroupsUsed = (await hasReserved(knex, projectId, 'security_groups'))
      ? usages.security_groups.in_use
      : 0;
  },
  xml: { limits: { namespaces: { 'os-used-limits': NAMESPACE } } },
};
