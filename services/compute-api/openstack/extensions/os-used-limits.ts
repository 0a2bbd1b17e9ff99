import type { Extension } from '../http/api.ts';

export const extension: Extension = {
  alias: 'os-used-limits',
  name: 'UsedLimits',
  namespace: 'http://docs.openstack.org/compute/ext/used_limits/api/v1.1',
  updated: '2012-07-13T00:00:00+00:00',
  description: 'Provide data on limited resources that are being used.',
  limits: async (caller, absolute) => {
    const { domain } = caller.api;
    if (!domain.policy.allowed(caller, 'compute_extension:used_limits')) return;
    const used = await domain.quotas.used(caller);
    absolute.totalRAMUsed = used.ram.in_use;
    absolute.totalCoresUsed = used.cores.in_use;
    absolute.totalInstancesUsed = used.instances.in_use;
    absolute.totalVolumesUsed = used.volumes.in_use;
    absolute.totalVolumeGigabytesUsed = used.gigabytes.in_use;
    absolute.totalFloatingIpsUsed = used.floating_ips.in_use;
    absolute.totalSecurityGroupsUsed = used.security_groups.in_use;
  },
};
