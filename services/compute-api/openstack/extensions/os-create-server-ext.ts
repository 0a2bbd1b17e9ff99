import { serversResource } from '../core/servers.ts';
import type { Extension } from '../http/extension.ts';
import { registryOf } from '../http/extension.ts';

const NAMESPACE = 'http://docs.openstack.org/compute/ext/createserverext/api/v1.1';

/** An older name of POST servers. */
export const extension: Extension = {
  alias: 'os-create-server-ext',
  name: 'Createserverext',
  namespace: NAMESPACE,
  updated: '2011-07-19T00:00:00+00:00',
  description: 'Extended support to the Create Server v1.1 API',
  resources: [{ ...serversResource(registryOf([])), path: 'os-create-server-ext' }],
};
