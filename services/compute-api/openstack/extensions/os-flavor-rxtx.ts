import type { Extension } from '../http/api.ts';
import { float } from '../http/operation.ts';

const NAMESPACE = 'http://docs.openstack.org/compute/ext/flavor_rxtx/api/v1.1';

export const extension: Extension = {
  alias: 'os-flavor-rxtx',
  name: 'FlavorRxtx',
  namespace: NAMESPACE,
  updated: '2012-08-29T00:00:00+00:00',
  description: 'Support to show the rxtx status of a flavor',
  flavor: (caller, view, flavor) => {
    if (!caller.api.domain.policy.allowed(caller, 'compute_extension:flavor_rxtx')) return;
    view.rxtx_factor = float(flavor.rxtx_factor);
  },
  xml: { flavor: { attributes: { rxtx_factor: 'rxtx_factor' } } },
};
