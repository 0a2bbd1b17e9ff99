import { isFault, isoSeconds, type RequestContext } from '@folsom/core';
import { type Knex, toSqlTime } from '@folsom/db';
import { type FlavorRow, flavorByFlavorId, flavorsByIds } from '@folsom/nova/flavors';
import type { InstanceRecord } from '@folsom/nova/instance-records';
import { type InstanceFaultRow, latestFaults } from '@folsom/nova/instances';
import { parseNetworkInfo } from '@folsom/nova/network-info';
import { groupNamesOfInstances } from '@folsom/nova/security-groups';
import { authorize, type Deps } from '../deps.ts';
import { badRequest } from '../http/faults.ts';
import { matching } from './patterns.ts';

/** Addresses by network label, as answers show them. */
export type Addresses = Record<string, { version: number; addr: string }[]>;

/** An instance with what its views need, whichever way it was read. */
export interface ListedInstance {
  id: number;
  uuid: string;
  display_name: string | null;
  project_id: string | null;
  user_id: string | null;
  host: string | null;
  vm_state: string;
  task_state: string | null;
  power_state: number | null;
  image_ref: string;
  key_name: string | null;
  config_drive: string | null;
  access_ip_v4: string | null;
  access_ip_v6: string | null;
  auto_disk_config: boolean | null;
  progress: number | null;
  /** `2012-09-27T10:00:00Z` */
  created: string | null;
  updated: string | null;
  flavor: FlavorRow | undefined;
  metadata: Record<string, string>;
  groups: string[];
  addresses: Addresses;
  fault: InstanceFaultRow | undefined;
  /** Of the compute node that has it; only looked up where it is shown. */
  hypervisor_hostname: string | null;
}

/** Columns of `instances` that a listing reads. */
const COLUMNS = [
  'id',
  'uuid',
  'display_name',
  'project_id',
  'user_id',
  'host',
  'vm_state',
  'task_state',
  'power_state',
  'image_ref',
  'key_name',
  'config_drive',
  'access_ip_v4',
  'access_ip_v6',
  'auto_disk_config',
  'progress',
  'created_at',
  'updated_at',
  'instance_type_id',
] as const;

/** Text columns that administrators may search with an expression. */
const SEARCHABLE = new Set([
  'display_name',
  'display_description',
  'hostname',
  'host',
  'reservation_id',
  'key_name',
  'kernel_id',
  'ramdisk_id',
  'task_state',
  'availability_zone',
  'os_type',
  'architecture',
  'vm_mode',
  'root_device_name',
  'config_drive',
  'access_ip_v4',
  'access_ip_v6',
  'launched_on',
  'server_name',
  'power_state',
  'memory_mb',
  'vcpus',
  'root_gb',
  'ephemeral_gb',
  'progress',
  'locked',
  'launch_index',
]);
const EXACT = new Set(['project_id', 'user_id', 'image_ref', 'vm_state', 'uuid']);
const FILTERS_OF_USERS = new Set(['reservation_id', 'name', 'status', 'image', 'flavor', 'changes-since']);

export interface Page {
  limit: number;
  marker: string | undefined;
}

type Raw = Record<(typeof COLUMNS)[number], never> & {
  id: number;
  uuid: string;
  instance_type_id: number;
};

const STATUS_STATES: Record<string, string> = {
  active: 'active',
  build: 'building',
  shutoff: 'stopped',
  verify_resize: 'resized',
  paused: 'paused',
  suspended: 'suspended',
  rescue: 'rescued',
  error: 'error',
  deleted: 'deleted',
};

/** Instances that match the query, newest first. @throws 400 for a filter that says nothing sensible */
export async function listInstances(
  deps: Deps,
  context: RequestContext,
  query: URLSearchParams,
  page: Page,
): Promise<Raw[]> {
  authorize(deps, context, 'compute:get_all');
  const filters = new Map(query);
  if (!context.isAdmin) {
    for (const name of filters.keys()) if (!FILTERS_OF_USERS.has(name)) filters.delete(name);
  }
  const status = filters.get('status');
  if (status !== undefined) {
    const state = STATUS_STATES[status.toLowerCase()];
    if (state === undefined) throw badRequest(`Invalid server status: ${status}`);
    filters.set('vm_state', state);
  }
  const { knex } = deps.db;
  const rows = knex('instances').select(...COLUMNS);

  const since = filters.get('changes-since');
  if (since !== undefined) rows.where('updated_at', '>', toSqlTime(changesSince(since)));
  let deleted: boolean | undefined = since === undefined ? false : undefined;
  if (filters.has('deleted')) deleted = filters.get('deleted') !== '';
  if (filters.get('vm_state') === 'deleted') {
    if (!context.isAdmin) throw badRequest('Only administrators may list deleted instances');
    deleted = true;
  }
  if (deleted === true) rows.where(where => where.where('deleted', 1).orWhere('vm_state', 'soft-delete'));
  if (deleted === false) rows.where('deleted', 0).whereNot('vm_state', 'soft-delete');

  const tenant = filters.get('tenant_id');
  if (tenant !== undefined) filters.set('project_id', tenant);
  if (!context.isAdmin || !filters.has('all_tenants')) filters.set('project_id', context.projectId ?? '');

  const image = filters.get('image');
  if (image !== undefined) rows.where('image_ref', image);
  const flavor = filters.get('flavor');
  if (flavor !== undefined) {
    const row = await findFlavor(deps, context, flavor);
    if (!row) return [];
    rows.where('instance_type_id', row.id);
  }
  const name = filters.get('name');
  if (name !== undefined) matching(rows, 'display_name', name);
  for (const [column, value] of filters) {
    if (EXACT.has(column)) rows.where(column, value);
    else if (SEARCHABLE.has(column)) matching(rows, column, value);
  }
  const fixed = filters.get('fixed_ip');
  const address = fixed ?? filters.get('ip') ?? filters.get('ip6');
  if (address !== undefined) {
    const addresses = knex('fixed_ips')
      .where('deleted', 0)
      .whereNotNull('instance_uuid')
      .select('instance_uuid');
    if (fixed !== undefined) addresses.where('address', fixed);
    else matching(addresses, 'address', address);
    rows.whereIn('uuid', addresses);
  }

  if (page.marker !== undefined) await after(deps, rows, page.marker, context);
  if (page.limit === 0) return [];
  rows.orderBy([
    { column: 'created_at', order: 'desc' },
    { column: 'id', order: 'desc' },
  ]);
  return (await rows.limit(page.limit)) as unknown as Raw[];
}

async function findFlavor(
  deps: Deps,
  context: RequestContext,
  flavorid: string,
): Promise<FlavorRow | undefined> {
  try {
    return await flavorByFlavorId(deps.db.knex, flavorid, context, { deleted: true });
  } catch (error) {
    if (isFault(error, 'FlavorNotFound')) return undefined;
    throw error;
  }
}

async function after(deps: Deps, rows: Knex.QueryBuilder, marker: string, context: RequestContext) {
  const found = deps.db.knex('instances').where({ uuid: marker, deleted: 0 });
  if (!context.isAdmin) found.where('project_id', context.projectId ?? '');
  const row = (await found.first('created_at', 'id')) as { created_at: string; id: number } | undefined;
  if (!row) throw badRequest(`marker [${marker}] not found`);
  rows.where(where =>
    where
      .where('created_at', '<', row.created_at)
      .orWhere(same => same.where('created_at', row.created_at).where('id', '<', row.id)),
  );
}

function changesSince(text: string): number {
  const iso = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?$/.exec(text.trim());
  const ms = iso ? Date.parse(iso[3] ? text.trim() : `${text.trim()}Z`) : Number.NaN;
  if (Number.isNaN(ms)) throw badRequest('Invalid changes-since value');
  return ms;
}

/** Adds what detailed views show: one query a table for the whole page. */
export async function withDetails(deps: Deps, rows: readonly Raw[]): Promise<ListedInstance[]> {
  if (rows.length === 0) return [];
  const { knex } = deps.db;
  const uuids = rows.map(row => row.uuid);
  const hosts = [...new Set(rows.map(row => row.host as string | null))].filter(host => host !== null);
  const failed = rows.filter(row => (row.vm_state as string) === 'error').map(row => row.uuid);
  const [flavors, metadata, groups, caches, faults, nodes] = await Promise.all([
    flavorsOf(deps, [...new Set(rows.map(row => row.instance_type_id))]),
    metadataOf(knex, uuids),
    groupNamesOfInstances(knex, uuids),
    cachesOf(knex, uuids),
    latestFaults(knex, failed),
    hypervisorNames(knex, hosts),
  ]);
  return rows.map(raw => ({
    ...(raw as unknown as ListedInstance),
    auto_disk_config: raw.auto_disk_config === null ? null : Boolean(raw.auto_disk_config),
    created: isoOf(raw.created_at),
    updated: isoOf(raw.updated_at),
    flavor: flavors.get(raw.instance_type_id),
    metadata: metadata.get(raw.uuid) ?? {},
    groups: groups.get(raw.uuid) ?? [],
    addresses: addressesOf(caches.get(raw.uuid)),
    fault: faults.get(raw.uuid),
    hypervisor_hostname: nodes.get(raw.host as string) ?? null,
  }));
}

/** The same shape from one full record. */
export async function detailsOf(deps: Deps, record: InstanceRecord): Promise<ListedInstance> {
  const { knex } = deps.db;
  const faults = record.vm_state === 'error' ? await latestFaults(knex, [record.uuid]) : undefined;
  const nodes = record.host === null ? undefined : await hypervisorNames(knex, [record.host]);
  return {
    ...record,
    created: record.created_at === null ? null : isoSeconds(record.created_at),
    updated: record.updated_at === null ? null : isoSeconds(record.updated_at),
    metadata: Object.fromEntries(record.metadata.map(item => [item.key, item.value])),
    groups: record.security_groups.map(group => group.name),
    addresses: addressesOf(record.info_cache?.network_info),
    fault: faults?.get(record.uuid),
    hypervisor_hostname: nodes?.get(record.host as string) ?? null,
  };
}

/** A column's time as answers show it; both databases keep `YYYY-MM-DD HH:MM:SS` in UTC. */
const isoOf = (time: string | null): string | null =>
  time === null ? null : `${time.slice(0, 10)}T${time.slice(11, 19)}Z`;

async function metadataOf(knex: Knex, uuids: string[]): Promise<Map<string, Record<string, string>>> {
  const rows = (await knex('instance_metadata')
    .where('deleted', 0)
    .whereIn('instance_uuid', uuids)
    .orderBy('id')
    .select('instance_uuid', 'key', 'value')) as { instance_uuid: string; key: string; value: string }[];
  const found = new Map<string, Record<string, string>>();
  for (const { instance_uuid, key, value } of rows) {
    const own = found.get(instance_uuid);
    if (own) own[key] = value;
    else found.set(instance_uuid, { [key]: value });
  }
  return found;
}

async function cachesOf(knex: Knex, uuids: string[]): Promise<Map<string, string | null>> {
  const rows = (await knex('instance_info_caches')
    .where('deleted', 0)
    .whereIn('instance_uuid', uuids)
    .select('instance_uuid', 'network_info')) as { instance_uuid: string; network_info: string | null }[];
  return new Map(rows.map(row => [row.instance_uuid, row.network_info]));
}

/** Names of the hypervisors on these hosts. */
export async function hypervisorNames(knex: Knex, hosts: string[]): Promise<Map<string, string>> {
  if (hosts.length === 0) return new Map();
  const rows = (await knex('compute_nodes as n')
    .join('services as s', 's.id', 'n.service_id')
    .where({ 'n.deleted': 0, 's.deleted': 0, 's.topic': 'compute' })
    .whereIn('s.host', hosts)
    .select('s.host as host', 'n.hypervisor_hostname as name')) as { host: string; name: string }[];
  return new Map(rows.map(row => [row.host, row.name]));
}

// Rows of flavors never change but for their deletion, which does not matter to the instances that have them.
const flavorCache = new WeakMap<object, Map<number, FlavorRow>>();

async function flavorsOf(deps: Deps, ids: number[]): Promise<Map<number, FlavorRow>> {
  const cache = flavorCache.get(deps.db) ?? new Map<number, FlavorRow>();
  flavorCache.set(deps.db, cache);
  const missing = ids.filter(id => !cache.has(id));
  if (missing.length > 0) {
    for (const [id, flavor] of await flavorsByIds(deps.db.knex, missing)) cache.set(id, flavor);
  }
  return cache;
}

const ADDRESS_CACHE_MAX = 5_000;
const addressCache = new Map<string, Addresses>();

/** The addresses a cached network model shows; unchanged texts are read once. */
export function addressesOf(networkInfo: string | null | undefined): Addresses {
  if (!networkInfo || networkInfo === '[]') return {};
  const kept = addressCache.get(networkInfo);
  if (kept) return kept;
  const fixed: Addresses = {};
  const floating: Addresses = {};
  for (const vif of parseNetworkInfo(networkInfo)) {
    const label = vif.network?.label ?? '';
    fixed[label] ??= [];
    floating[label] ??= [];
    for (const ip of vif.network?.subnets.flatMap(subnet => subnet.ips) ?? []) {
      if (ip.address !== null) fixed[label].push({ version: ip.version ?? 4, addr: ip.address });
      for (const other of ip.floating_ips ?? []) {
        if (other.address !== null)
          floating[label].push({ version: other.version ?? 4, addr: other.address });
      }
    }
  }
  const addresses = Object.fromEntries(
    Object.keys(fixed).map(label => [label, [...(fixed[label] ?? []), ...(floating[label] ?? [])]]),
  );
  if (addressCache.size >= ADDRESS_CACHE_MAX) addressCache.clear();
  addressCache.set(networkInfo, addresses);
  return addresses;
}
