import { attribute } from '@folsom/wire/view';
import type { Extension } from '../http/api.ts';

export const extension: Extension = {
  alias: 'OS-EXT-STS',
  name: 'ExtendedStatus',
  namespace: 'http://docs.openstack.org/compute/ext/extended_status/api/v1.1',
  updated: '2011-11-03T00:00:00+00:00',
  description: 'Extended Status support',
  seenBy: caller => caller.api.domain.policy.allowed(caller, 'compute_extension:extended_status'),
  server: {
    'OS-EXT-STS:task_state': attribute(instance => instance.task_state),
    'OS-EXT-STS:vm_state': attribute(instance => instance.vm_state),
    'OS-EXT-STS:power_state': attribute(instance => instance.power_state ?? 0),
  },
};
