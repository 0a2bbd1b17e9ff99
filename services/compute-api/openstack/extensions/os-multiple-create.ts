import Type from 'typebox';
import { boolFromString } from '../../domain/values.ts';
import type { Extension } from '../http/api.ts';
import { badRequest } from '../http/faults.ts';
import { serverAttributes } from '../http/server-attributes.ts';
import { truth, wholeNumber } from '../http/shapes.ts';
import { present } from '../http/xml.ts';

const count = Type.Optional(wholeNumber({ minimum: 1 }));

/** Lets a boot make several instances, and answer with the name of the reservation. */
export const extension: Extension = {
  alias: 'os-multiple-create',
  name: 'MultipleCreate',
  namespace: 'http://docs.openstack.org/compute/ext/multiplecreate/api/v1.1',
  updated: '2012-08-07T00:00:00+00:00',
  description: 'Allow multiple create in the Create Server v1.1 API',
  attributes: serverAttributes({
    shape: { min_count: count, max_count: count, return_reservation_id: Type.Optional(truth()) },
    readBoot: server => {
      const minCount = server.min_count ?? 1;
      const maxCount = server.max_count ?? minCount;
      if (minCount > maxCount) throw badRequest();
      return { minCount, maxCount };
    },
    answerBoot: (server, { reservationId }, { bodyFormat }) => {
      if (!server.return_reservation_id) return undefined;
      const view = { reservation_id: reservationId };
      return bodyFormat === 'xml' ? { server: view } : view;
    },
    readXml: node => {
      const { return_reservation_id: wanted } = node.attributes;
      return {
        ...present(node, ['min_count', 'max_count']),
        ...(wanted ? { return_reservation_id: boolFromString(wanted) } : {}),
      };
    },
  }),
};
