import type { ComputeOperation } from '../http/api.ts';
import { notFound, notImplemented } from '../http/faults.ts';
import { operation } from '../http/operation.ts';
import { addressViews } from '../views/servers.ts';

const path = '/servers/:server_id/ips';
const faults = { InstanceNotFound: [404, 'Instance does not exist'] } as const;
const refuse = (): never => {
  throw notImplemented();
};

/** Addresses of a server by network; they are given and taken elsewhere. */
export const addressOperations: readonly ComputeOperation[] = [
  operation({
    name: 'ListAddresses',
    about: 'Addresses of a server by network.',
    method: 'GET',
    path,
    policy: null,
    answers: 200,
    view: addressViews.all,
    faults,
    run: async ({ domain, context, params }) =>
      addressViews.all.json(await domain.servers.addresses(context, params.server_id)),
  }),
  operation({
    name: 'ShowAddresses',
    about: 'Addresses of a server in one network.',
    method: 'GET',
    path: `${path}/:id`,
    policy: null,
    answers: 200,
    view: addressViews.one,
    faults,
    run: async ({ domain, context, params }) => {
      const found = await domain.servers.addresses(context, params.server_id);
      if (!Object.hasOwn(found, params.id)) {
        throw notFound('Instance is not a member of specified network');
      }
      return addressViews.one.json(params.id, found);
    },
  }),
  operation({
    name: 'CreateAddress',
    about: 'Not implemented in the original either: addresses are given elsewhere.',
    method: 'POST',
    path,
    policy: null,
    answers: 501,
    bodyRequired: true,
    run: refuse,
  }),
  operation({
    name: 'DeleteAddress',
    about: 'Not implemented in the original either: addresses are taken elsewhere.',
    method: 'DELETE',
    path: `${path}/:id`,
    policy: null,
    answers: 501,
    run: refuse,
  }),
];
