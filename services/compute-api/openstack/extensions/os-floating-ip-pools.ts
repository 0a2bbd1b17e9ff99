import type { Extension } from '../http/api.ts';
import { operation } from '../http/operation.ts';

export const extension: Extension = {
  alias: 'os-floating-ip-pools',
  name: 'FloatingIpPools',
  namespace: 'http://docs.openstack.org/compute/ext/floating_ip_pools/api/v1.1',
  updated: '2012-01-04T00:00:00+00:00',
  description: 'Floating IPs support',
  resources: ['/os-floating-ip-pools'],
  operations: [
    operation({
      name: 'ListFloatingIpPools',
      about: 'Where floating addresses are taken from.',
      method: 'GET',
      path: '/os-floating-ip-pools',
      policy: 'compute_extension:floating_ip_pools',
      answers: 200,
      view: {
        xml: {
          tag: 'floating_ip_pools',
          children: [{ tag: 'floating_ip_pool', at: 'floating_ip_pools', attributes: { name: 'name' } }],
        },
      },
      run: async ({ domain, context }) => ({ floating_ip_pools: await domain.floatingIps.pools(context) }),
    }),
  ],
};
