import { attribute } from '@folsom/wire/view';
import type { Extension } from '../http/api.ts';

const KEY = 'OS-FLV-DISABLED:disabled';

export const extension: Extension = {
  alias: 'OS-FLV-DISABLED',
  name: 'FlavorDisabled',
  namespace: 'http://docs.openstack.org/compute/ext/flavor_disabled/api/v1.1',
  updated: '2012-08-29T00:00:00+00:00',
  description: 'Support to show the disabled status of a flavor',
  seenBy: caller => caller.api.domain.policy.allowed(caller, 'compute_extension:flavor_disabled'),
  flavor: { [KEY]: attribute(flavor => flavor.disabled) },
};
