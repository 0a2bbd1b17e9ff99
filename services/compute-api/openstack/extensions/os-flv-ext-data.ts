import { attribute } from '@folsom/wire/view';
import type { Extension } from '../http/api.ts';

const KEY = 'OS-FLV-EXT-DATA:ephemeral';

export const extension: Extension = {
  alias: 'OS-FLV-EXT-DATA',
  name: 'FlavorExtraData',
  namespace: 'http://docs.openstack.org/compute/ext/flavor_extra_data/api/v1.1',
  updated: '2011-09-14T00:00:00+00:00',
  description: 'Provide additional data for flavors',
  seenBy: caller => caller.api.domain.policy.allowed(caller, 'compute_extension:flavorextradata'),
  flavor: { [KEY]: attribute(flavor => flavor.ephemeral_gb) },
};
