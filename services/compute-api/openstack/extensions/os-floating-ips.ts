import type { Fault } from '@folsom/core';
import { attribute, attributesOf, many, one, view } from '@folsom/wire/view';
import Type from 'typebox';
import type { LeadingFloatingIp } from '../../domain/floating-ips.ts';
import { rowId } from '../../domain/values.ts';
import type { Extension } from '../http/api.ts';
import { badRequest, notFound } from '../http/faults.ts';
import { bare, operation, overLimit } from '../http/operation.ts';
import { NAME_CHARS_MAX, name, readBy } from '../http/shapes.ts';
import { isObject } from '../http/values.ts';

const policy = 'compute_extension:floating_ips';

const floatingIp = view<[LeadingFloatingIp]>('floating_ip', {
  instance_id: attribute(row => row.instance_uuid),
  ip: attribute(row => row.address),
  fixed_ip: attribute(row => row.fixed_address),
  ...attributesOf<LeadingFloatingIp>('id', 'pool'),
});
const shown = one(floatingIp);
const listed = many(floatingIp);

const faults = {
  FloatingIpNotFound: 404,
  FloatingIpNotFoundForAddress: 404,
  FloatingIpNotAssociated: [400, 'Floating ip is not associated'],
  CannotDisassociateAutoAssignedFloatingIP: [403, 'Cannot disassociate auto assigned floating ip'],
  NotAuthorized: 404,
} as const;

function idOf(text: string): number {
  const id = rowId(text);
  if (id === undefined) throw notFound();
  return id;
}

/** The name of a pool; null for the operator's own. */
const pool = readBy((body): string | null => {
  const named = isObject(body) ? (body.pool ?? null) : null;
  if (named !== null && (typeof named !== 'string' || named.length > NAME_CHARS_MAX)) throw badRequest();
  return named;
}, 'An object whose `pool` names the pool; anything else for the default one.');
const none = ({ values }: Fault): string =>
  `No more floating ips ${values.pool == null ? 'available.' : `in pool ${values.pool}.`}`;

const address = Type.Object(
  { address: name({ required: 'Address not specified', else: () => notFound() }) },
  { says: 'Missing parameter dict' },
);

export const extension: Extension = {
  alias: 'os-floating-ips',
  name: 'FloatingIps',
  namespace: 'http://docs.openstack.org/compute/ext/floating_ips/api/v1.1',
  updated: '2011-06-16T00:00:00+00:00',
  description: 'Floating IPs support',
  resources: ['/os-floating-ips'],
  operations: [
    operation({
      name: 'ListFloatingIps',
      about: 'Floating addresses of the tenant, oldest first.',
      method: 'GET',
      path: '/os-floating-ips',
      policy,
      answers: 200,
      view: listed,
      run: async ({ domain, context }) => listed.json(await domain.floatingIps.list(context)),
    }),
    operation({
      name: 'ShowFloatingIp',
      about: 'A floating address of the tenant.',
      method: 'GET',
      path: '/os-floating-ips/:id',
      policy,
      answers: 200,
      view: shown,
      faults,
      run: async ({ domain, context, params }) =>
        shown.json(await domain.floatingIps.get(context, idOf(params.id))),
    }),
    operation({
      name: 'AllocateFloatingIp',
      about: 'Takes an address of a pool for the tenant.',
      method: 'POST',
      path: '/os-floating-ips',
      policy,
      body: pool,
      bodyRequired: false,
      // openstackclient 7.4 sends a form.
      readForm: fields => fields,
      answers: 200,
      view: shown,
      faults: { FloatingIpLimitExceeded: overLimit, NoMoreFloatingIps: [404, none] },
      throws: ['FloatingIpNotFoundForAddress'],
      run: async ({ domain, context, body = null }) =>
        shown.json(await domain.floatingIps.allocate(context, body)),
    }),
    operation({
      name: 'ReleaseFloatingIp',
      about: 'Gives an address back to its pool.',
      method: 'DELETE',
      path: '/os-floating-ips/:id',
      policy,
      answers: 202,
      faults,
      run: async ({ domain, context, params }) => {
        await domain.floatingIps.release(context, idOf(params.id));
        return bare();
      },
    }),
    operation({
      name: 'AddFloatingIp',
      about: 'Lets an address lead to the first fixed address of a server.',
      method: 'POST',
      path: '/servers/:id/action',
      key: 'addFloatingIp',
      policy,
      body: address,
      answers: 202,
      faults: {
        FloatingIpAssociated: [400, 'floating ip is already associated'],
        NoFloatingIpInterface: [400, 'l3driver call to add floating ip failed'],
      },
      throws: [
        'InstanceNotFound',
        'FloatingIpNotFoundForAddress',
        'NetworkInfoMissing',
        'NoFixedIpForFloatingIp',
        'FloatingIpNotAssociable',
        'FixedIpNotFoundForAddress',
        'NotAuthorized',
      ],
      run: async ({ domain, context, params, body }) => {
        await domain.floatingIps.associate(context, params.id, body.address);
        return bare();
      },
    }),
    operation({
      name: 'RemoveFloatingIp',
      about: 'Ends the way from an address to a server.',
      method: 'POST',
      path: '/servers/:id/action',
      key: 'removeFloatingIp',
      policy,
      body: address,
      answers: 202,
      faults,
      throws: ['InstanceNotFound'],
      run: async ({ domain, context, params, body }) =>
        (await domain.floatingIps.disassociate(context, params.id, body.address)) ? bare() : bare({}, 404),
    }),
  ],
};
