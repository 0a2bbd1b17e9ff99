import type { Extension } from '../http/extension.ts';

const NAMESPACE = 'http://docs.openstack.org/compute/ext/availabilityzone/api/v1.1';

/** Lets a boot name a zone; read by the server resource when loaded. */
export const extension: Extension = {
  alias: 'os-availability-zone',
  name: 'AvailabilityZone',
  namespace: NAMESPACE,
  updated: '2012-08-09T00:00:00+00:00',
  description: 'Add availability_zone to the Create Server v1.1 API',
};
