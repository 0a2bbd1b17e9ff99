import { isoSeconds } from '@folsom/core';
import { answer } from '@folsom/http/operation';
import { child } from '@folsom/wire';
import Type from 'typebox';
import type { NetworkRow } from '../../domain/networks.ts';
import type { Caller, Extension, JsonObject } from '../http/api.ts';
import { badRequest, unprocessable } from '../http/faults.ts';
import { bare, operation } from '../http/operation.ts';
import { requestedNetworks } from '../http/requested-networks.ts';
import { serverAttributes } from '../http/server-attributes.ts';
import { NAME_CHARS_MAX, readBy } from '../http/shapes.ts';
import { isObject } from '../http/values.ts';
import { pick } from '../http/xml.ts';

const manage = 'compute_extension:networks';
const look = 'compute_extension:networks:view';

/** The page of the original's web framework, which is what these operations answer. */
const ACCEPTED = answer({
  type: 'text/plain; charset=UTF-8',
  bytes: '202 Accepted\n\nThe request is accepted for processing.\n\n   ',
});

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
function view(caller: Caller, network: NetworkRow): JsonObject {
  const row = network as unknown as JsonObject;
  const names = caller.isAdmin ? [...FIELDS, ...ADMIN_FIELDS] : FIELDS;
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

/** What can be said of a new network; the network service reads numbers and words for yes by itself. */
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
] as const;
type Settable = Partial<Record<(typeof SETTABLE)[number], string>>;

const newNetwork = readBy((body): Settable & { label: string } => {
  const network = isObject(body) && Object.hasOwn(body, 'network') ? body.network : undefined;
  if (!isObject(network) || Object.keys(network).length === 0) {
    throw unprocessable('Missing network in body');
  }
  const { label } = network;
  if (!label || typeof label !== 'string' || label.length > NAME_CHARS_MAX) {
    throw unprocessable('Network label is required');
  }
  if (!network.cidr && !network.cidr_v6) throw unprocessable('Network cidr or cidr_v6 is required');
  const given = SETTABLE.filter(name => name in network).map(name => [name, network[name]]);
  return { ...(Object.fromEntries(given) as Settable), label };
}, '`network`: label, cidr or cidr_v6, and what else is to be set.');

/** The network wanted; null for any that is free. */
const associated = readBy((body): string | null => {
  if (!isObject(body) || Object.keys(body).length === 0) throw unprocessable();
  const id = body.id ?? null;
  if (id !== null && (typeof id !== 'string' || id.length > NAME_CHARS_MAX)) throw badRequest();
  return id;
}, '`id` of the network wanted; null for any that is free.');

const missing = { NetworkNotFound: 404, NetworkNotFoundForUUID: 404 } as const;

export const extension: Extension = {
  alias: 'os-networks',
  name: 'Networks',
  namespace: 'http://docs.openstack.org/compute/ext/networks/api/v1.1',
  updated: '2011-12-23T00:00:00+00:00',
  description: 'Admin-only Network Management Extension',
  attributes: serverAttributes({
    shape: { networks: Type.Optional(readBy(requestedNetworks)) },
    readBoot: server => ({ networks: server.networks ?? null }),
    readXml: node => {
      const networks = child(node, 'networks');
      if (!networks) return {};
      const items = networks.children.filter(item => item.name === 'network');
      return { networks: items.map(item => pick(item.attributes, ['uuid', 'fixed_ip', 'port'])) };
    },
  }),
  resources: ['/os-networks'],
  operations: [
    operation({
      name: 'ListNetworks',
      about: "Networks of the caller's tenant and of nobody; all of them for administrators.",
      method: 'GET',
      path: '/os-networks',
      policy: look,
      answers: 200,
      run: async ({ domain, context }) => ({
        networks: (await domain.networks.list(context)).map(network => view(context, network)),
      }),
    }),
    operation({
      name: 'CreateNetwork',
      about: 'Makes a network with its addresses.',
      method: 'POST',
      path: '/os-networks',
      policy: manage,
      body: newNetwork,
      answers: 200,
      throws: ['InvalidNetworkSize', 'NetworkRefused', 'InvalidCidr', 'NetworkNotCreated'],
      run: async ({ domain, context, body }) => ({
        network: view(context, await domain.networks.create(context, body)),
      }),
    }),
    operation({
      name: 'AssociateNetwork',
      about: "Gives the caller's tenant a network.",
      method: 'POST',
      path: '/os-networks/add',
      policy: manage,
      body: associated,
      answers: 202,
      throws: ['NetworkNotAssociable'],
      run: async ({ domain, context, body }) => {
        await domain.networks.associate(context, body);
        return bare();
      },
    }),
    operation({
      name: 'ShowNetwork',
      about: 'A network.',
      method: 'GET',
      path: '/os-networks/:id',
      policy: look,
      answers: 200,
      faults: missing,
      run: async ({ domain, context, params }) => ({
        network: view(context, await domain.networks.get(context, params.id)),
      }),
    }),
    operation({
      name: 'DeleteNetwork',
      about: 'Deletes a network with its addresses.',
      method: 'DELETE',
      path: '/os-networks/:id',
      policy: manage,
      answers: 202,
      faults: missing,
      throws: ['NetworkInUse'],
      run: async ({ domain, context, params }) => {
        await domain.networks.delete(context, params.id);
        return ACCEPTED;
      },
    }),
    operation({
      name: 'DisassociateNetwork',
      about: 'Takes a network away from its tenant.',
      method: 'POST',
      path: '/os-networks/:id/action',
      key: 'disassociate',
      policy: manage,
      answers: 202,
      faults: missing,
      run: async ({ domain, context, params }) => {
        await domain.networks.disassociate(context, params.id);
        return ACCEPTED;
      },
    }),
  ],
};
