import type { Extension } from '../http/extension.ts';

const NAMESPACE = 'http://docs.openstack.org/compute/ext/userdata/api/v1.1';

/** Lets a boot carry user data; read by the server resource when loaded. */
export const extension: Extension = {
  alias: 'os-user-data',
  name: 'UserData',
  namespace: NAMESPACE,
  updated: '2012-08-07T00:00:00+00:00',
  description: 'Add user_data to the Create Server v1.1 API',
};
