import { NOVA_NS } from '@folsom/wire/nova-xml';
import { attribute, many, view } from '@folsom/wire/view';
import type { Extension } from '../http/api.ts';
import { operation } from '../http/operation.ts';
import { offsetQuery, pageByOffset } from '../http/paging.ts';

const interfacesShown = many(
  view<[{ uuid: string | null; address: string | null }]>('virtual_interface', {
    id: attribute(({ uuid }) => uuid),
    mac_address: attribute(({ address }) => address),
  }),
  { namespaces: { '': NOVA_NS.v11 } },
);

export const extension: Extension = {
  alias: 'os-virtual-interfaces',
  name: 'VirtualInterfaces',
  namespace: 'http://docs.openstack.org/compute/ext/virtual_interfaces/api/v1.1',
  updated: '2011-08-17T00:00:00+00:00',
  description: 'Virtual interface support',
  resources: ['/servers/:server_id/os-virtual-interfaces'],
  operations: [
    operation({
      name: 'ListVirtualInterfaces',
      about: 'Network interfaces of a server.',
      method: 'GET',
      path: '/servers/:server_id/os-virtual-interfaces',
      policy: 'compute_extension:virtual_interfaces',
      query: offsetQuery,
      answers: 200,
      view: interfacesShown,
      throws: ['InstanceNotFound'],
      run: async ({ domain, context, params, query }) => {
        const { offset, limit } = pageByOffset(context, query);
        const interfaces = await domain.servers.interfaces(context, params.server_id);
        return interfacesShown.json(interfaces.slice(offset, offset + limit));
      },
    }),
  ],
};
