import { addressesOf } from '../../domain/instance-details.ts';
import { getInstance } from '../../domain/instances.ts';
import { ok } from '../http/answer.ts';
import { notFound, notImplemented, translating } from '../http/faults.ts';
import { type ApiRequest, param } from '../http/request.ts';
import type { Resource } from '../http/resource.ts';
import { addressesXml, networkXml } from '../views/servers.ts';

async function addresses(api: ApiRequest) {
  const server = await translating({ InstanceNotFound: () => notFound('Instance does not exist') }, () =>
    getInstance(api.deps, api.context, param(api, 'server_id')),
  );
  return addressesOf(server.info_cache?.network_info);
}

const refused = {
  handle: () => {
    throw notImplemented();
  },
};

/** Addresses of a server by network; they are given and taken elsewhere. */
export const serverIps: Resource = {
  path: 'servers/:server_id/ips',
  index: { xml: addressesXml, handle: async api => ok({ addresses: await addresses(api) }) },
  show: {
    xml: networkXml,
    handle: async api => {
      const found = await addresses(api);
      const label = param(api, 'id');
      if (!Object.hasOwn(found, label)) throw notFound('Instance is not a member of specified network');
      return ok({ [label]: found[label] });
    },
  },
  create: refused,
  delete: refused,
};
