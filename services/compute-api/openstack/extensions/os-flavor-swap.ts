import type { Extension } from '../http/api.ts';

const NAMESPACE = 'http://docs.openstack.org/compute/ext/flavor_swap/api/v1.1';

export const extension: Extension = {
  alias: 'os-flavor-swap',
  name: 'FlavorSwap',
  namespace: NAMESPACE,
  updated: '2012-08-29T00:00:00+00:00',
  description: 'Support to show the swap status of a flavor',
  flavor: (caller, view, flavor) => {
    if (caller.api.domain.policy.allowed(caller, 'compute_extension:flavor_swap'))
      view.swap = flavor.swap || '';
  },
  xml: { flavor: { attributes: { swap: 'swap' } } },
};
