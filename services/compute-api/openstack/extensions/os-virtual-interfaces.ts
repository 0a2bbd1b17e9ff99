import { interfacesOfInstance } from '@folsom/nova/virtual-interfaces';
import { NOVA_NS } from '@folsom/wire/nova-xml';
import { getInstance } from '../../domain/instances.ts';
import { ok } from '../http/answer.ts';
import type { Extension } from '../http/extension.ts';
import { notFound, translating } from '../http/faults.ts';
import { authorizeExtension } from '../http/front.ts';
import { pageByOffset, param } from '../http/request.ts';

const NAMESPACE = 'http://docs.openstack.org/compute/ext/virtual_interfaces/api/v1.1';

export const extension: Extension = {
  alias: 'os-virtual-interfaces',
  name: 'VirtualInterfaces',
  namespace: NAMESPACE,
  updated: '2011-08-17T00:00:00+00:00',
  description: 'Virtual interface support',
  resources: [
    {
      path: 'servers/:server_id/os-virtual-interfaces',
      index: {
        xml: {
          tag: 'virtual_interfaces',
          namespaces: { '': NOVA_NS.v11 },
          children: [
            {
              tag: 'virtual_interface',
              at: 'virtual_interfaces',
              attributes: { id: 'id', mac_address: 'mac_address' },
            },
          ],
        },
        handle: async api => {
          authorizeExtension(api.deps, api.context, 'virtual_interfaces');
          const instance = await translating({ InstanceNotFound: () => notFound() }, () =>
            getInstance(api.deps, api.context, param(api, 'server_id')),
          );
          const vifs = await interfacesOfInstance(api.deps.db, instance.uuid);
          return ok({
            virtual_interfaces: pageByOffset(api, vifs).map(vif => ({
              id: vif.uuid,
              mac_address: vif.address,
            })),
          });
        },
      },
    },
  ],
};
