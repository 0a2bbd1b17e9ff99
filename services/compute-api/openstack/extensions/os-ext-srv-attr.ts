import { instanceName } from '../../domain/instances.ts';
import type { Extension } from '../http/api.ts';

const NAMESPACE = 'http://docs.openstack.org/compute/ext/extended_status/api/v1.1';

export const extension: Extension = {
  alias: 'OS-EXT-SRV-ATTR',
  name: 'ExtendedServerAttributes',
  namespace: NAMESPACE,
  updated: '2011-11-03T00:00:00+00:00',
  description: 'Extended Server Attributes support.',
  seesServers: caller =>
    caller.api.domain.policy.allowed(caller, 'compute_extension:extended_server_attributes'),
  server: (api, view, instance) => {
    view['OS-EXT-SRV-ATTR:host'] = instance.host;
    view['OS-EXT-SRV-ATTR:hypervisor_hostname'] = instance.hypervisor_hostname;
    view['OS-EXT-SRV-ATTR:instance_name'] = instanceName(api.config.instance_name_template, instance);
  },
  xml: {
    server: {
      namespaces: { 'OS-EXT-SRV-ATTR': NAMESPACE },
      attributes: {
        'OS-EXT-SRV-ATTR:host': 'OS-EXT-SRV-ATTR:host',
        'OS-EXT-SRV-ATTR:hypervisor_hostname': 'OS-EXT-SRV-ATTR:hypervisor_hostname',
        'OS-EXT-SRV-ATTR:instance_name': 'OS-EXT-SRV-ATTR:instance_name',
      },
    },
  },
};
