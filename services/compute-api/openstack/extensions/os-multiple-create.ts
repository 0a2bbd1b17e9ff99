import type { Extension } from '../http/extension.ts';

const NAMESPACE = 'http://docs.openstack.org/compute/ext/multiplecreate/api/v1.1';

/** Lets a boot make several instances; read by the server resource when loaded. */
export const extension: Extension = {
  alias: 'os-multiple-create',
  name: 'MultipleCreate',
  namespace: NAMESPACE,
  updated: '2012-08-07T00:00:00+00:00',
  description: 'Allow multiple create in the Create Server v1.1 API',
};
