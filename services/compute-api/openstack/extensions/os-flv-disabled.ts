import type { Extension } from '../http/api.ts';

const NAMESPACE = 'http://docs.openstack.org/compute/ext/flavor_disabled/api/v1.1';

const KEY = 'OS-FLV-DISABLED:disabled';

export const extension: Extension = {
  alias: 'OS-FLV-DISABLED',
  name: 'FlavorDisabled',
  namespace: NAMESPACE,
  updated: '2012-08-29T00:00:00+00:00',
  description: 'Support to show the disabled status of a flavor',
  flavor: (caller, view, flavor) => {
    if (caller.api.domain.policy.allowed(caller, 'compute_extension:flavor_disabled'))
      view[KEY] = flavor.disabled;
  },
  xml: { flavor: { namespaces: { 'OS-FLV-DISABLED': NAMESPACE }, attributes: { [KEY]: KEY } } },
};
