import { isoSeconds } from '@folsom/core';
import { type Knex, whereListed } from '@folsom/db';
import { type FlavorRow, flavorsByIds } from '@folsom/nova/flavors';
import type { InstanceRecord } from '@folsom/nova/instance-records';
import { type InstanceFaultRow, latestFaults } from '@folsom/nova/instances';
import { parseNetworkInfo } from '@folsom/nova/network-info';
import { groupNamesOfInstances } from '@folsom/nova/security-groups';
import type { Deps } from './deps.ts';
import { COLUMNS, type ListedRow } from './listing.ts';

/** Addresses by network label, as answers show them. */
export type Addresses = Record<string, { version: number; addr: string }[]>;

/** An instance with what its views need, whichever way it was read. */
export interface ListedInstance
  extends Omit<ListedRow, 'auto_disk_config' | 'created_at' | 'updated_at' | 'instance_type_id'> {
  auto_disk_config: boolean | null;
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

/** What one instance of a page is shown from. */
export interface DetailSource {
  row: ListedRow;
  flavor: FlavorRow | undefined;
  metadata: Record<string, string>;
  groups: string[];
  /** JSON text of the network model. */
  networkInfo: string | null;
  fault: InstanceFaultRow | undefined;
  hypervisor: string | null;
}

const NO_METADATA: Record<string, string> = {};
const NO_GROUPS: string[] = [];

/** Adds what detailed views show: one query a table for the whole page. */
export async function detailSources(deps: Deps, rows: readonly ListedRow[]): Promise<DetailSource[]> {
  if (rows.length === 0) return [];
  const { knex } = deps.db;
  const uuids = rows.map(row => row.uuid);
  const hosts = [...new Set(rows.map(row => row.host))].filter(host => host !== null);
  const failed = rows.filter(row => row.vm_state === 'error').map(row => row.uuid);
  const [flavors, metadata, groups, caches, faults, nodes] = await Promise.all([
    flavorsOf(deps, [...new Set(rows.map(row => row.instance_type_id))]),
    metadataOf(knex, uuids),
    groupNamesOfInstances(knex, uuids),
    cachesOf(knex, uuids),
    latestFaults(knex, failed),
    hypervisorNames(knex, hosts),
  ]);
  return rows.map(row => ({
    row,
    flavor: flavors.get(row.instance_type_id),
    metadata: metadata.get(row.uuid) ?? NO_METADATA,
    groups: groups.get(row.uuid) ?? NO_GROUPS,
    networkInfo: caches.get(row.uuid) ?? null,
    fault: faults.get(row.uuid),
    hypervisor: (row.host === null ? undefined : nodes.get(row.host)) ?? null,
  }));
}

/** Whether an instance would be shown the same from both. */
export function sameDetails(a: DetailSource, b: DetailSource): boolean {
  for (const column of COLUMNS) if (a.row[column] !== b.row[column]) return false;
  return (
    a.flavor === b.flavor &&
    a.networkInfo === b.networkInfo &&
    a.fault?.id === b.fault?.id &&
    a.hypervisor === b.hypervisor &&
    a.groups.length === b.groups.length &&
    a.groups.every((name, at) => name === b.groups[at]) &&
    sameMetadata(a.metadata, b.metadata)
  );
}

function sameMetadata(a: Record<string, string>, b: Record<string, string>): boolean {
  const names = Object.keys(a);
  const others = Object.keys(b);
  // In order, too: answers show it.
  return (
    names.length === others.length && names.every((name, at) => name === others[at] && a[name] === b[name])
  );
}

export function listedFrom(source: DetailSource): ListedInstance {
  const { row } = source;
  return {
    ...row,
    auto_disk_config: row.auto_disk_config === null ? null : Boolean(row.auto_disk_config),
    created: isoOf(row.created_at),
    updated: isoOf(row.updated_at),
    flavor: source.flavor,
    metadata: source.metadata,
    groups: source.groups,
    addresses: addressesOf(source.networkInfo),
    fault: source.fault,
    hypervisor_hostname: source.hypervisor,
  };
}

/** Rows have whole seconds, and a fault and the state that goes with it are not written at once. */
const SAME_MOMENT_MS = 1_000;

/**
 * Whether an instance's latest fault says why it is as it is: it is in error, or the fault is the last thing that happened
 * to it (a resize or a migration that no host could take leaves it ACTIVE, and its owner asks why).
 */
function isShown(fault: InstanceFaultRow, record: InstanceRecord): boolean {
  if (record.vm_state === 'error') return true;
  if (record.task_state !== null || fault.created_at === null) return false;
  return fault.created_at + SAME_MOMENT_MS >= (record.updated_at ?? 0);
}

/** When it last changed, as answers show it. */
export const updatedAt = ({ updated_at }: InstanceRecord): string | null =>
  updated_at === null ? null : isoSeconds(updated_at);

/** The same shape from one full record. */
export async function detailsOf(deps: Deps, record: InstanceRecord): Promise<ListedInstance> {
  const { knex } = deps.db;
  const fault = (await latestFaults(knex, [record.uuid])).get(record.uuid);
  const nodes = record.host === null ? undefined : await hypervisorNames(knex, [record.host]);
  return {
    ...record,
    created: record.created_at === null ? null : isoSeconds(record.created_at),
    updated: updatedAt(record),
    metadata: Object.fromEntries(record.metadata.map(item => [item.key, item.value])),
    groups: record.security_groups.map(group => group.name),
    addresses: addressesOf(record.info_cache?.network_info),
    fault: fault !== undefined && isShown(fault, record) ? fault : undefined,
    hypervisor_hostname: nodes?.get(record.host as string) ?? null,
  };
}

/** A column's time as answers show it; both databases keep `YYYY-MM-DD HH:MM:SS` in UTC. */
const isoOf = (time: string | null): string | null =>
  time === null ? null : `${time.slice(0, 10)}T${time.slice(11, 19)}Z`;

async function metadataOf(knex: Knex, uuids: string[]): Promise<Map<string, Record<string, string>>> {
  const rows = (await whereListed(knex('instance_metadata').where('deleted', 0), 'instance_uuid', uuids)
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
  const rows = (await whereListed(
    knex('instance_info_caches').where('deleted', 0),
    'instance_uuid',
    uuids,
  ).select('instance_uuid', 'network_info')) as { instance_uuid: string; network_info: string | null }[];
  return new Map(rows.map(row => [row.instance_uuid, row.network_info]));
}

/** Names of the hypervisors on these hosts. */
async function hypervisorNames(knex: Knex, hosts: string[]): Promise<Map<string, string>> {
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

/** Flavors by number, deleted ones too. */
export async function flavorsOf(deps: Deps, ids: number[]): Promise<Map<number, FlavorRow>> {
  const cache = flavorCache.get(deps.db) ?? new Map<number, FlavorRow>();
  flavorCache.set(deps.db, cache);
  const missing = ids.filter(id => !cache.has(id));
  if (missing.length > 0) {
    for (const [id, flavor] of await flavorsByIds(deps.db.knex, missing)) cache.set(id, flavor);
  }
  return cache;
}

/** The addresses that a stored network model shows. */
export function addressesOf(networkInfo: string | null | undefined): Addresses {
  if (!networkInfo || networkInfo === '[]') return {};
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
  return Object.fromEntries(
    Object.keys(fixed).map(label => [label, [...(fixed[label] ?? []), ...(floating[label] ?? [])]]),
  );
}
