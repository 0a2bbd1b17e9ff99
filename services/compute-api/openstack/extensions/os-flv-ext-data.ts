import type { Extension } from '../http/api.ts';

const NAMESPACE = 'http://docs.openstack.org/compute/ext/flavor_extra_data/api/v1.1';

const KEY = 'OS-FLV-EXT-DATA:ephemeral';

export const extension: Extension = {
  alias: 'OS-FLV-EXT-DATA',
  name: 'FlavorExtraData',
  namespace: NAMESPACE,
  updated: '2011-09-14T00:00:00+00:00',
  description: 'Provide additional data for flavors',
  flavor: (caller, view, flavor) => {
    if (caller.api.domain.policy.allowed(caller, 'compute_extension:flavorextradata'))
      view[KEY] = flavor.ephemeral_gb;
  },
  xml: { flavor: { namespaces: { 'OS-FLV-EXT-DATA': NAMESPACE }, attributes: { [KEY]: KEY } } },
};
