import { attribute } from '@folsom/wire/view';
import type { Extension } from '../http/api.ts';
import { float } from '../http/operation.ts';

export const extension: Extension = {
  alias: 'os-flavor-rxtx',
  name: 'FlavorRxtx',
  namespace: 'http://docs.openstack.org/compute/ext/flavor_rxtx/api/v1.1',
  updated: '2012-08-29T00:00:00+00:00',
  description: 'Support to show the rxtx status of a flavor',
  seenBy: caller => caller.api.domain.policy.allowed(caller, 'compute_extension:flavor_rxtx'),
  flavor: { rxtx_factor: attribute(flavor => float(flavor.rxtx_factor)) },
};
