import { serverOperations } from '../core/servers.ts';
import type { Extension } from '../http/api.ts';
import { registryOf } from '../http/extension.ts';

/** Reads bodies as POST servers does, with every extension that is loaded, and answers in the form without them. */
const form = registryOf([]);

/** An older name of POST servers. */
export const extension: Extension = {
  alias: 'os-create-server-ext',
  name: 'Createserverext',
  namespace: 'http://docs.openstack.org/compute/ext/createserverext/api/v1.1',
  updated: '2011-07-19T00:00:00+00:00',
  description: 'Extended support to the Create Server v1.1 API',
  resources: ['/os-create-server-ext'],
  operations: ({ attributes }) =>
    serverOperations({ ...form, attributes }).map(operation => ({
      ...operation,
      name: `${operation.name}Ext`,
      path: operation.path.replace('/servers', '/os-create-server-ext'),
    })),
};
