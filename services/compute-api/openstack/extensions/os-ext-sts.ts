import type { Extension } from '../http/api.ts';

const NAMESPACE = 'http://docs.openstack.org/compute/ext/extended_status/api/v1.1';

export const extension: Extension = {
  alias: 'OS-EXT-STS',
  name: 'ExtendedStatus',
  namespace: NAMESPACE,
  updated: '2011-11-03T00:00:00+00:00',
  description: 'Extended Status support',
  seesServers: caller => caller.api.domain.policy.allowed(caller, 'compute_extension:extended_status'),
  server: (_api, view, instance) => {
    view['OS-EXT-STS:task_state'] = instance.task_state;
    view['OS-EXT-STS:vm_state'] = instance.vm_state;
    view['OS-EXT-STS:power_state'] = instance.power_state ?? 0;
  },
  xml: {
    server: {
      namespaces: { 'OS-EXT-STS': NAMESPACE },
      attributes: {
        'OS-EXT-STS:task_state': 'OS-EXT-STS:task_state',
        'OS-EXT-STS:power_state': 'OS-EXT-STS:power_state',
        'OS-EXT-STS:vm_state': 'OS-EXT-STS:vm_state',
      },
    },
  },
};
