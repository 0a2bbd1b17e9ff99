import type { FloatingIpRow } from '@folsom/nova/floating-ips';
import { cachedNetworkInfo } from '@folsom/nova/instance-info-cache';
import { fixedIpsOf } from '@folsom/nova/network-info';
import type { XmlTemplate } from '@folsom/wire/nova-xml';
import { actionBody } from '../core/server-actions.ts';
import { serverOf } from '../core/server-lookup.ts';
import { authorizeExtension } from '../deps.ts';
import { bindFloatingIp, unbindFloatingIp } from '../domain/floating-ips.ts';
import { type Answer, empty, ok } from '../http/answer.ts';
import type { Extension } from '../http/extension.ts';
import { badRequest, forbidden, notFound, tooLarge, translating } from '../http/faults.ts';
import { type ApiRequest, isObject, type JsonObject, param, rowId } from '../http/request.ts';

const ADDRESS_CHARS_MAX = 255;

const attributes = {
  id: 'id',
  ip: 'ip',
  pool: 'pool',
  fixed_ip: 'fixed_ip',
  instance_id: 'instance_id',
};
const xml: XmlTemplate = { tag: 'floating_ip', at: 'floating_ip', attributes };

const authorized = (api: ApiRequest) => authorizeExtension(api.deps, api.context, 'floating_ips');

/** Addresses as users see them, with what they lead to: one question for all of them. */
async function views(api: ApiRequest, rows: readonly FloatingIpRow[]): Promise<JsonObject[]> {
  const ids = rows.flatMap(row => (row.fixed_ip_id === null ? [] : [row.fixed_ip_id]));
  const found = ids.length === 0 ? [] : await api.deps.db.knex('fixed_ips').whereIn('id', ids);
  const fixed = new Map(found.map(row => [row.id as number, row]));
  return rows.map(row => {
    const leadsTo = row.fixed_ip_id === null ? undefined : fixed.get(row.fixed_ip_id);
    return {
      id: row.id,
      ip: row.address,
      pool: row.pool,
      fixed_ip: leadsTo?.address ?? null,
      instance_id: leadsTo?.instance_uuid ?? null,
    };
  });
}

/** The address of the path, if it is the caller's. @throws 404 */
async function mine(api: ApiRequest): Promise<FloatingIpRow> {
  const id = rowId(param(api, 'id'));
  if (id === undefined) throw notFound();
  const row = await translating({ FloatingIpNotFound: () => notFound() }, () =>
    api.deps.network.client.get_floating_ip(api.context, { id }),
  );
  if (!api.context.isAdmin && row.project_id !== api.context.projectId) throw notFound();
  return row;
}

async function create(api: ApiRequest): Promise<Answer> {
  authorized(api);
  const pool = isObject(api.body) && typeof api.body.pool === 'string' ? api.body.pool : null;
  const { client } = api.deps.network;
  const address = await translating(
    {
      NoMoreFloatingIps: () =>
        notFound(pool === null ? 'No more floating ips available.' : `No more floating ips in pool ${pool}.`),
      FloatingIpLimitExceeded: error => tooLarge(error.message),
    },
    () => client.allocate_floating_ip(api.context, { project_id: api.context.projectId ?? '', pool }),
  );
  const row = await client.get_floating_ip_by_address(api.context, { address });
  return ok({ floating_ip: (await views(api, [row]))[0] });
}

async function remove(api: ApiRequest): Promise<Answer> {
  authorized(api);
  const row = await mine(api);
  if (row.fixed_ip_id !== null) await unbind(api, row.address);
  await translating({ NotAuthorized: () => forbidden() }, () =>
    api.deps.network.client.deallocate_floating_ip(api.context, { address: row.address }),
  );
  return empty();
}

const unbind = (api: ApiRequest, address: string): Promise<void> =>
  translating(
    {
      NotAuthorized: () => forbidden(),
      FloatingIpNotAssociated: () => badRequest('Floating ip is not associated'),
      CannotDisassociateAutoAssignedFloatingIP: () =>
        forbidden('Cannot disassociate auto assigned floating ip'),
    },
    () => unbindFloatingIp(api.deps, api.context, address),
  );

function addressOf(api: ApiRequest, action: string): string {
  const body = actionBody(api, action);
  if (!isObject(body)) throw badRequest('Missing parameter dict');
  if (!('address' in body)) throw badRequest('Address not specified');
  return String(body.address).slice(0, ADDRESS_CHARS_MAX);
}

async function add(api: ApiRequest): Promise<Answer> {
  authorized(api);
  const address = addressOf(api, 'addFloatingIp');
  const instance = await serverOf(api);
  const network = await cachedNetworkInfo(api.deps.db, instance.uuid);
  if (network.length === 0) throw badRequest('No nw_info cache associated with instance');
  const [fixed] = fixedIpsOf(network);
  if (!fixed?.address) throw badRequest('No fixed ips associated to instance');
  try {
    await bindFloatingIp(api.deps, api.context, instance, { floating: address, fixed: fixed.address });
  } catch (error) {
    api.deps.log.info('cannot associate a floating address', { instance: instance.uuid, error });
    const missing = (error as Error).name === 'NoFloatingIpInterface';
    throw badRequest(
      missing ? 'l3driver call to add floating ip failed' : 'Error. Unable to associate floating ip',
    );
  }
  return empty();
}

async function take(api: ApiRequest): Promise<Answer> {
  authorized(api);
  const address = addressOf(api, 'removeFloatingIp');
  const instance = await serverOf(api);
  const leadsTo = await translating({ FloatingIpNotFoundForAddress: () => notFound() }, () =>
    api.deps.network.client.get_instance_id_by_floating_address(api.context, { address }),
  );
  if (leadsTo !== instance.uuid) return empty(404);
  await unbind(api, address);
  return empty();
}

export const extension: Extension = {
  alias: 'os-floating-ips',
  name: 'FloatingIps',
  namespace: 'http://docs.openstack.org/compute/ext/floating_ips/api/v1.1',
  updated: '2011-06-16T00:00:00+00:00',
  description: 'Floating IPs support',
  actions: { servers: { addFloatingIp: { handle: add }, removeFloatingIp: { handle: take } } },
  resources: [
    {
      path: 'os-floating-ips',
      index: {
        xml: {
          tag: 'floating_ips',
          children: [{ tag: 'floating_ip', at: 'floating_ips', attributes }],
        },
        handle: async api => {
          authorized(api);
          const rows = await api.deps.network.client.get_floating_ips_by_project(api.context, {});
          return ok({ floating_ips: await views(api, rows) });
        },
      },
      show: {
        xml,
        handle: async api => {
          authorized(api);
          return ok({ floating_ip: (await views(api, [await mine(api)]))[0] });
        },
      },
      create: { xml, body: false, handle: create },
      delete: { handle: remove },
    },
  ],
};
