import { type Fault, isFault, isoSeconds } from '@folsom/core';
import type { NetworkRow } from '@folsom/nova/networks';
import { networkSize } from '../../domain/network-size.ts';
import { type Answer, empty, ok } from '../http/answer.ts';
import type { Extension } from '../http/extension.ts';
import { badRequest, notFound, translating, unprocessable } from '../http/faults.ts';
import { authorizeExtension } from '../http/front.ts';
import {
  type ApiRequest,
  entity,
  isObject,
  type JsonObject,
  NAME_CHARS_MAX,
  param,
  scalarText,
} from '../http/request.ts';

const NAMESPACE = 'http://docs.openstack.org/compute/ext/networks/api/v1.1';

/** The page of the original's web framework, which is what these operations answer. */
const ACCEPTED: Answer = {
  status: 202,
  type: 'text/plain; charset=UTF-8',
  text: '202 Accepted\n\nThe request is accepted for processing.\n\n   ',
};

const FIELDS = [
  'cidr',
  'netmask',
  'gateway',
  'broadcast',
  'dns1',
  'dns2',
  'cidr_v6',
  'gateway_v6',
  'label',
  'netmask_v6',
] as const;
const ADMIN_FIELDS = [
  'created_at',
  'updated_at',
  'deleted_at',
  'deleted',
  'injected',
  'bridge',
  'vlan',
  'vpn_public_address',
  'vpn_public_port',
  'vpn_private_address',
  'dhcp_start',
  'project_id',
  'host',
  'bridge_interface',
  'multi_host',
  'priority',
  'rxtx_base',
] as const;

/** What users may know of a network; administrators know everything. */
function view(api: ApiRequest, network: NetworkRow): JsonObject {
  const row = network as unknown as JsonObject;
  const names = api.context.isAdmin ? [...FIELDS, ...ADMIN_FIELDS] : FIELDS;
  return {
    id: row.uuid,
    ...Object.fromEntries(names.map(name => [name, shown(name, row[name] ?? null)])),
  };
}

/** Times as Folsom's JSON prints them, whatever form the bus carried. */
function shown(name: string, value: unknown): unknown {
  if (!name.endsWith('_at') || value === null) return value;
  const text = typeof value === 'number' ? isoSeconds(value) : String(value);
  return `${text.slice(0, 19).replace(' ', 'T')}.000000`;
}

const missing = <T>(work: () => Promise<T>): Promise<T> =>
  translating({ NetworkNotFound: () => notFound(), NetworkNotFoundForUUID: () => notFound() }, work);

/** A cloud without networks is no fault. */
function none(error: unknown): NetworkRow[] {
  if (isFault(error, 'NoNetworksFound')) return [];
  throw error;
}

/** What the network service finds wrong with the values, such as a range that is taken; other errors are its own. */
const refusedValue = (error: Fault): Fault =>
  REFUSALS.has(error.values.exc_type) ? badRequest(scalarText(error.values.value)) : error;
/** Built-in exceptions that the original's network service raises for a range. */
const REFUSALS: ReadonlySet<unknown> = new Set(['ValueError', 'AddrFormatError']);

async function create(api: ApiRequest): Promise<Answer> {
  authorizeExtension(api.deps, api.context, 'networks');
  const body = entity(api.body, 'network');
  if (!body || Object.keys(body).length === 0) throw unprocessable('Missing network in body');
  const { label } = body;
  if (!label || typeof label !== 'string' || label.length > NAME_CHARS_MAX) {
    throw unprocessable('Network label is required');
  }
  const cidr = body.cidr || body.cidr_v6;
  if (!cidr) throw unprocessable('Network cidr or cidr_v6 is required');
  const size = networkSize(scalarText(cidr) ?? '');
  if (size === undefined) throw unprocessable('Network cidr or cidr_v6 is required');
  const made = await translating({ RemoteError: refusedValue }, () =>
    api.deps.network.client.create_networks(api.context, {
      ...pick(body),
      label,
      num_networks: 1,
      network_size: size,
    }),
  );
  return ok({ network: view(api, made[0]!) });
}

const SETTABLE = [
  'cidr',
  'cidr_v6',
  'gateway',
  'gateway_v6',
  'bridge',
  'bridge_interface',
  'dns1',
  'dns2',
  'multi_host',
  'project_id',
  'priority',
  'fixed_cidr',
];
const pick = (body: JsonObject): JsonObject =>
  Object.fromEntries(SETTABLE.filter(name => name in body).map(name => [name, body[name]]));

export const extension: Extension = {
  alias: 'os-networks',
  name: 'Networks',
  namespace: NAMESPACE,
  updated: '2011-12-23T00:00:00+00:00',
  description: 'Admin-only Network Management Extension',
  resources: [
    {
      path: 'os-networks',
      index: {
        handle: async api => {
          authorizeExtension(api.deps, api.context, 'networks:view');
          const networks = await api.deps.network.client.get_all_networks(api.context, {}).catch(none);
          return ok({ networks: networks.map(network => view(api, network)) });
        },
      },
      show: {
        handle: async api => {
          authorizeExtension(api.deps, api.context, 'networks:view');
          const network = await missing(() =>
            api.deps.network.client.get_network(api.context, { network_uuid: param(api, 'id') }),
          );
          return ok({ network: view(api, network) });
        },
      },
      delete: {
        handle: async api => {
          authorizeExtension(api.deps, api.context, 'networks');
          await missing(() =>
            api.deps.network.client.delete_network(api.context, {
              fixed_range: null,
              uuid: param(api, 'id'),
            }),
          );
          return ACCEPTED;
        },
      },
      create: { handle: create },
      collection: {
        add: {
          method: 'POST',
          handle: async api => {
            authorizeExtension(api.deps, api.context, 'networks');
            if (!isObject(api.body) || Object.keys(api.body).length === 0) throw unprocessable();
            const network = api.body.id ?? null;
            try {
              await api.deps.bus.call(api.context, api.deps.config.network_topic, {
                method: 'add_network_to_project',
                args: { project_id: api.context.projectId, network_uuid: network },
              });
            } catch (error) {
              const message =
                isFault(error) && error.status < 500 ? error.message : 'the network service refused';
              throw badRequest(
                `Cannot associate network ${network ?? ''} with project ${api.context.projectId}: ${message}`,
              );
            }
            return empty();
          },
        },
      },
      actions: {
        disassociate: {
          handle: async api => {
            authorizeExtension(api.deps, api.context, 'networks');
            await missing(() =>
              api.deps.network.client.disassociate_network(api.context, {
                network_uuid: param(api, 'id'),
              }),
            );
            return ACCEPTED;
          },
        },
      },
    },
  ],
};
