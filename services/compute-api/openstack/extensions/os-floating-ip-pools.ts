import { attributesOf, many, view } from '@folsom/wire/view';
import type { Extension } from '../http/api.ts';
import { operation } from '../http/operation.ts';

const pools = many(view<[{ name: string }]>('floating_ip_pool', attributesOf<{ name: string }>('name')));

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
      view: pools,
      run: async ({ domain, context }) => pools.json(await domain.floatingIps.pools(context)),
    }),
  ],
};
