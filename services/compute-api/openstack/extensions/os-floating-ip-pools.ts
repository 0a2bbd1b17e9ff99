import { floatingPools } from '@folsom/nova/floating-ips';
import { ok } from '../http/answer.ts';
import type { Extension } from '../http/extension.ts';
import { authorizeExtension } from '../http/front.ts';

export const extension: Extension = {
  alias: 'os-floating-ip-pools',
  name: 'FloatingIpPools',
  namespace: 'http://docs.openstack.org/compute/ext/floating_ip_pools/api/v1.1',
  updated: '2012-01-04T00:00:00+00:00',
  description: 'Floating IPs support',
  resources: [
    {
      path: 'os-floating-ip-pools',
      index: {
        xml: {
          tag: 'floating_ip_pools',
          children: [{ tag: 'floating_ip_pool', at: 'floating_ip_pools', attributes: { name: 'name' } }],
        },
        handle: async api => {
          authorizeExtension(api.deps, api.context, 'floating_ip_pools');
          return ok({ floating_ip_pools: await floatingPools(api.deps.db) });
        },
      },
    },
  ],
};
