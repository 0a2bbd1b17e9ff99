import { usagesOf } from '@folsom/nova/quotas';
import { allowed } from '../deps.ts';
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
    const usages = await usagesOf(api.deps.db.knex, api.context.projectId ?? '');
    absolute.totalRAMUsed = usages.ram.in_use;
    absolute.totalCoresUsed = usages.cores.in_use;
    absolute.totalInstancesUsed = usages.instances.in_use;
    absolute.totalVolumesUsed = usages.volumes.in_use;
    absolute.totalVolumeGigabytesUsed = usages.gigabytes.in_use;
    absolute.totalFloatingIpsUsed = usages.floating_ips.in_use;
    absolute.totalSecurityGroupsUsed = usages.security_groups.in_use;
  },
  xml: { limits: { namespaces: { 'os-used-limits': NAMESPACE } } },
};
