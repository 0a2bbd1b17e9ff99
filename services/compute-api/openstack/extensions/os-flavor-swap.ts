import { attribute } from '@folsom/wire/view';
import type { Extension } from '../http/api.ts';

export const extension: Extension = {
  alias: 'os-flavor-swap',
  name: 'FlavorSwap',
  namespace: 'http://docs.openstack.org/compute/ext/flavor_swap/api/v1.1',
  updated: '2012-08-29T00:00:00+00:00',
  description: 'Support to show the swap status of a flavor',
  seenBy: caller => caller.api.domain.policy.allowed(caller, 'compute_extension:flavor_swap'),
  flavor: { swap: attribute(flavor => flavor.swap || '') },
};
