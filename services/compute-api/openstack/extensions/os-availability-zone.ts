import Type from 'typebox';
import type { Extension } from '../http/api.ts';
import { serverAttributes } from '../http/server-attributes.ts';
import { name, orNull } from '../http/shapes.ts';
import { present } from '../http/xml.ts';

/** Lets a boot name a zone; for administrators also `zone:host`. */
export const extension: Extension = {
  alias: 'os-availability-zone',
  name: 'AvailabilityZone',
  namespace: 'http://docs.openstack.org/compute/ext/availabilityzone/api/v1.1',
  updated: '2012-08-09T00:00:00+00:00',
  description: 'Add availability_zone to the Create Server v1.1 API',
  attributes: serverAttributes({
    shape: {
      availability_zone: Type.Optional(orNull(name(), { says: 'Invalid availability_zone provided.' })),
    },
    readBoot: server => ({ availabilityZone: server.availability_zone ?? null }),
    readXml: node => present(node, ['availability_zone']),
  }),
};
