import Type from 'typebox';
import type { Extension } from '../http/api.ts';
import { unprocessable } from '../http/faults.ts';
import { bare, operation } from '../http/operation.ts';
import { missingOr, shortScalar } from '../http/shapes.ts';

const policy = 'compute_extension:multinic';
const path = '/servers/:id/action';
const missingId = () => unprocessable("Missing 'networkId' argument for addFixedIp");

export const extension: Extension = {
  alias: 'NMN',
  name: 'Multinic',
  namespace: 'http://docs.openstack.org/compute/ext/multinic/api/v1.1',
  updated: '2011-06-09T00:00:00+00:00',
  description: 'Multiple network support',
  operations: [
    operation({
      name: 'AddFixedIp',
      about: 'Gives a server one more address of a network.',
      method: 'POST',
      path,
      key: 'addFixedIp',
      policy,
      body: Type.Object(
        { networkId: shortScalar(missingOr(missingId, () => unprocessable())) },
        { says: missingId },
      ),
      answers: 202,
      throws: [
        'InstanceNotFound',
        'NetworkNotFound',
        'NetworkNotFoundForUUID',
        'InstanceIsLocked',
        'InstanceInvalidState',
      ],
      run: async ({ domain, context, params, body }) => {
        await domain.servers.addFixedIp(context, params.id, body.networkId);
        return bare();
      },
    }),
    operation({
      name: 'RemoveFixedIp',
      about: 'Takes an address from a server.',
      method: 'POST',
      path,
      key: 'removeFixedIp',
      policy,
      body: Type.Object({ address: shortScalar(() => unprocessable()) }, { says: () => unprocessable() }),
      answers: 202,
      throws: ['InstanceNotFound', 'InstanceIsLocked', 'InstanceInvalidState'],
      run: async ({ domain, context, params, body }) => {
        await domain.servers.removeFixedIp(context, params.id, body.address);
        return bare();
      },
    }),
  ],
};
