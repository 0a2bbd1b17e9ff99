import { attribute } from '@folsom/wire/view';
import { instanceName } from '../../domain/instances.ts';
import type { Extension } from '../http/api.ts';

export const extension: Extension = {
  alias: 'OS-EXT-SRV-ATTR',
  name: 'ExtendedServerAttributes',
  namespace: 'http://docs.openstack.org/compute/ext/extended_status/api/v1.1',
  updated: '2011-11-03T00:00:00+00:00',
  description: 'Extended Server Attributes support.',
  seenBy: caller => caller.api.domain.policy.allowed(caller, 'compute_extension:extended_server_attributes'),
  server: {
    'OS-EXT-SRV-ATTR:host': attribute(instance => instance.host),
    'OS-EXT-SRV-ATTR:hypervisor_hostname': attribute(instance => instance.hypervisor_hostname),
    'OS-EXT-SRV-ATTR:instance_name': attribute((instance, api) =>
      instanceName(api.config.instance_name_template, instance),
    ),
  },
};
