import type { XmlTemplate } from '@folsom/wire/nova-xml';
import {
  addFloatingIp,
  allocateFloatingIp,
  getFloatingIp,
  type LeadingFloatingIp,
  listFloatingIps,
  releaseFloatingIp,
  removeFloatingIp,
} from '../../domain/floating-ips.ts';
import { actionBody } from '../core/server-actions.ts';
import { serverOf } from '../core/server-lookup.ts';
import { empty, ok } from '../http/answer.ts';
import type { Extension } from '../http/extension.ts';
import { badRequest, forbidden, notFound, tooLarge, translating } from '../http/faults.ts';
import { authorizeExtension } from '../http/front.ts';
import { type ApiRequest, isObject, NAME_CHARS_MAX, param, rowId } from '../http/request.ts';

const check = (api: ApiRequest) => authorizeExtension(api.deps, api.context, 'floating_ips');

const viewOf = (row: LeadingFloatingIp) => ({
  instance_id: row.instance_uuid,
  ip: row.address,
  fixed_ip: row.fixed_address,
  id: row.id,
  pool: row.pool,
});

// The original wrote Python's word for nothing.
const shown = (name: string) => (view: Record<string, unknown>) => String(view[name] ?? 'None');
const element: XmlTemplate = {
  tag: 'floating_ip',
  attributes: Object.fromEntries(
    ['id', 'ip', 'pool', 'fixed_ip', 'instance_id'].map(name => [name, shown(name)]),
  ),
};

const FAULTS = {
  FloatingIpNotFound: () => notFound(),
  FloatingIpNotFoundForAddress: () => notFound(),
  FloatingIpNotAssociated: () => badRequest('Floating ip is not associated'),
  CannotDisassociateAutoAssignedFloatingIP: () => forbidden('Cannot disassociate auto assigned floating ip'),
  NotAuthorized: () => notFound(),
};

function idOf(api: ApiRequest): number {
  const id = rowId(param(api, 'id'));
  if (id === undefined) throw notFound();
  return id;
}

function poolOf(body: unknown): string | null {
  const pool = isObject(body) ? (body.pool ?? null) : null;
  if (pool !== null && (typeof pool !== 'string' || pool.length > NAME_CHARS_MAX)) throw badRequest();
  return pool;
}

function addressOf(api: ApiRequest, action: string): string {
  const body = actionBody(api, action);
  if (!isObject(body)) throw badRequest('Missing parameter dict');
  const { address } = body;
  if (address === undefined) throw badRequest('Address not specified');
  if (typeof address !== 'string' || address.length > NAME_CHARS_MAX) throw notFound();
  return address;
}

export const extension: Extension = {
  alias: 'os-floating-ips',
  name: 'FloatingIps',
  namespace: 'http://docs.openstack.org/compute/ext/floating_ips/api/v1.1',
  updated: '2011-06-16T00:00:00+00:00',
  description: 'Floating IPs support',
  resources: [
    {
      path: 'os-floating-ips',
      index: {
        xml: { tag: 'floating_ips', children: [{ ...element, at: 'floating_ips' }] },
        handle: async api => {
          check(api);
          return ok({ floating_ips: (await listFloatingIps(api.deps, api.context)).map(viewOf) });
        },
      },
      show: {
        xml: { ...element, at: 'floating_ip' },
        handle: async api => {
          check(api);
          const id = idOf(api);
          const row = await translating(FAULTS, () => getFloatingIp(api.deps, api.context, id));
          return ok({ floating_ip: viewOf(row) });
        },
      },
      create: {
        body: false,
        xml: { ...element, at: 'floating_ip' },
        handle: async api => {
          check(api);
          const pool = poolOf(api.body);
          const none = pool === null ? 'available.' : `in pool ${pool}.`;
          const row = await translating(
            {
              NoMoreFloatingIps: () => notFound(`No more floating ips ${none}`),
              FloatingIpLimitExceeded: error => tooLarge(error.message, 0),
            },
            () => allocateFloatingIp(api.deps, api.context, pool),
          );
          return ok({ floating_ip: viewOf(row) });
        },
      },
      delete: {
        handle: async api => {
          check(api);
          const id = idOf(api);
          await translating(FAULTS, () => releaseFloatingIp(api.deps, api.context, id));
          return empty();
        },
      },
    },
  ],
  actions: {
    servers: {
      addFloatingIp: {
        handle: async api => {
          check(api);
          const address = addressOf(api, 'addFloatingIp');
          const instance = await serverOf(api);
          await translating(
            {
              FloatingIpAssociated: () => badRequest('floating ip is already associated'),
              NoFloatingIpInterface: () => badRequest('l3driver call to add floating ip failed'),
            },
            () => addFloatingIp(api.deps, api.context, instance, address),
          );
          return empty();
        },
      },
      removeFloatingIp: {
        handle: async api => {
          check(api);
          const address = addressOf(api, 'removeFloatingIp');
          const instance = await serverOf(api);
          const removed = await translating(FAULTS, () =>
            removeFloatingIp(api.deps, api.context, instance, address),
          );
          return empty(removed ? 202 : 404);
        },
      },
    },
  },
};
