import type { RequestContext } from '@folsom/core';
import { must } from '@folsom/core';
import { fromSqlTime, type Knex, whereListed } from '@folsom/db';
import { fixedIpsOf, parseNetworkInfo } from '@folsom/nova/network-info';
import { groupBy } from '@folsom/nova/rows';
import { groupNamesOfInstances } from '@folsom/nova/security-groups';
import { LRUCache } from 'lru-cache';
import type { Deps } from './deps.ts';
import { flavorsOf } from './instance-details.ts';
import { authorize, visibleProject } from './policy.ts';

/** Columns that are shown of every instance. */
const COLUMNS = [
  'uuid',
  'project_id',
  'reservation_id',
  'hostname',
  'host',
  'vm_state',
  'image_ref',
  'kernel_id',
  'ramdisk_id',
  'key_name',
  'launch_index',
  'root_device_name',
  'instance_type_id',
  'created_at',
] as const;

interface Row {
  uuid: string;
  project_id: string | null;
  reservation_id: string | null;
  hostname: string | null;
  host: string | null;
  vm_state: string;
  image_ref: string | null;
  kernel_id: string | null;
  ramdisk_id: string | null;
  key_name: string | null;
  launch_index: number | null;
  root_device_name: string | null;
  instance_type_id: number;
  created_at: string | null;
}

/** A volume of an instance. */
export interface AttachedDevice {
  device_name: string | null;
  volume_id: string;
  snapshot_id: string | null;
  delete_on_termination: boolean;
  status: string | null;
  /** Milliseconds since the epoch. */
  attach_time: number | null;
}

/** An instance as it belongs to the boot that made it. */
export interface ReservedInstance extends Row {
  flavor: string | null;
  groups: readonly string[];
  /** The same object for as long as they are the same. */
  addresses: Addresses;
  /** Of its host; null while it has none. */
  zone: string | null;
  devices: readonly AttachedDevice[];
}

/** Milliseconds since the epoch. */
export const createdAt = (one: Pick<ReservedInstance, 'created_at'>): number | null =>
  fromSqlTime(one.created_at);

/** Whether two looks at an instance show the same. */
export const sameReserved = (a: ReservedInstance, b: ReservedInstance): boolean =>
  COLUMNS.every(column => a[column] === b[column]) &&
  a.flavor === b.flavor &&
  a.addresses === b.addresses &&
  a.zone === b.zone &&
  a.groups.length === b.groups.length &&
  a.groups.every((name, at) => name === b.groups[at]) &&
  a.devices.length === b.devices.length &&
  a.devices.every((device, at) => sameDevice(device, b.devices[at]));

const sameDevice = (a: AttachedDevice, b: AttachedDevice | undefined): boolean =>
  b !== undefined &&
  a.device_name === b.device_name &&
  a.volume_id === b.volume_id &&
  a.snapshot_id === b.snapshot_id &&
  a.delete_on_termination === b.delete_on_termination &&
  a.status === b.status &&
  a.attach_time === b.attach_time;

export interface ReservationQuery {
  /** Those of these that the caller can see; all of them unless given. */
  uuids?: readonly string[];
  reservationId?: string;
}

/** Instances, oldest first, with what is shown of them: one query a table however many there are. */
export async function reservedInstances(
  deps: Deps,
  context: RequestContext,
  { uuids, reservationId }: ReservationQuery = {},
): Promise<ReservedInstance[]> {
  authorize(deps, context, 'compute:get_all');
  const { knex } = deps.db;
  const query = knex('instances')
    .where('deleted', 0)
    .select(...COLUMNS);
  if (uuids === undefined) query.whereNot('vm_state', 'soft-delete');
  else whereListed(query, 'uuid', uuids);
  const project = visibleProject(context);
  if (project !== null) query.where('project_id', project);
  if (reservationId !== undefined) query.where('reservation_id', reservationId);
  const rows = (await query.orderBy([{ column: 'created_at' }, { column: 'id' }])) as Row[];
  return rows.length === 0 ? [] : withDetails(deps, rows);
}

async function withDetails(deps: Deps, rows: readonly Row[]): Promise<ReservedInstance[]> {
  const { knex } = deps.db;
  const uuids = rows.map(row => row.uuid);
  const hosts = [...new Set(rows.map(row => row.host))].filter(host => host !== null);
  const [flavors, groups, addresses, zones, devices] = await Promise.all([
    flavorsOf(deps, [...new Set(rows.map(row => row.instance_type_id))]),
    groupNamesOfInstances(knex, uuids),
    addressesOf(knex, uuids),
    zonesOf(knex, hosts),
    devicesOf(knex, uuids),
  ]);
  return rows.map(row =>
    Object.assign(row, {
      flavor: flavors.get(row.instance_type_id)?.name ?? null,
      groups: groups.get(row.uuid) ?? NOTHING,
      addresses: addresses.get(row.uuid) ?? NO_ADDRESSES,
      zone: (row.host === null ? undefined : zones.get(row.host)) ?? null,
      devices: devices.get(row.uuid) ?? NOTHING,
    }),
  );
}

const NOTHING: readonly never[] = [];

/** By kind, in order. */
export interface Addresses {
  fixedIps: string[];
  fixedIp6s: string[];
  floatingIps: string[];
}
const NO_ADDRESSES: Addresses = { fixedIps: [], fixedIp6s: [], floatingIps: [] };

async function addressesOf(knex: Knex, uuids: readonly string[]): Promise<Map<string, Addresses>> {
  const rows = (await whereListed(
    knex('instance_info_caches').where('deleted', 0),
    'instance_uuid',
    uuids,
  ).select('instance_uuid', 'network_info')) as { instance_uuid: string; network_info: string | null }[];
  return new Map(rows.map(row => [row.instance_uuid, knownAddresses(row.network_info)]));
}

/** Network models read, about 1 KB each: a listing is asked for again and again, and most of it has not changed. */
const READ_MAX = 5_000;
const read = new LRUCache<string, Addresses>({ max: READ_MAX });

/** The addresses of a stored network model. */
export function knownAddresses(networkInfo: string | null | undefined): Addresses {
  if (!networkInfo || networkInfo === '[]') return NO_ADDRESSES;
  const known = read.get(networkInfo);
  if (known !== undefined) return known;
  const fixed = fixedIpsOf(parseNetworkInfo(networkInfo));
  const texts = (ips: readonly { address: string | null }[]) =>
    ips.map(ip => ip.address).filter(address => address !== null);
  const addresses = {
    fixedIps: texts(fixed.filter(ip => ip.version !== 6)),
    fixedIp6s: texts(fixed.filter(ip => ip.version === 6)),
    floatingIps: texts(fixed.flatMap(ip => ip.floating_ips ?? [])),
  };
  read.set(networkInfo, addresses);
  return addresses;
}

/** The zone of a host is that of the daemon that was first there. */
async function zonesOf(knex: Knex, hosts: string[]): Promise<Map<string, string>> {
  if (hosts.length === 0) return new Map();
  const rows = (await whereListed(knex('services').where('deleted', 0), 'host', hosts)
    .orderBy('id')
    .select('host', 'availability_zone')) as { host: string; availability_zone: string }[];
  return new Map(
    [...groupBy(rows, row => row.host)].map(([host, [first]]) => [
      host,
      must(first, 'first is there').availability_zone,
    ]),
  );
}

async function devicesOf(knex: Knex, uuids: readonly string[]): Promise<Map<string, AttachedDevice[]>> {
  const rows = (await whereListed(
    knex('block_device_mapping as b')
      .join('volumes as v', 'v.id', 'b.volume_id')
      .where({ 'b.deleted': 0, 'v.deleted': 0 })
      .where(where => void where.whereNull('b.no_device').orWhere('b.no_device', 0)),
    'b.instance_uuid',
    uuids,
  )
    .orderBy('b.id')
    .select(
      'b.instance_uuid as instance_uuid',
      'b.device_name as device_name',
      'b.volume_id as volume_id',
      'b.snapshot_id as snapshot_id',
      'b.delete_on_termination as delete_on_termination',
      'v.status as status',
      'v.attach_time as attach_time',
    )) as (AttachedDevice & { instance_uuid: string })[];
  return groupBy(
    rows.map(row => ({
      ...row,
      delete_on_termination: Boolean(row.delete_on_termination),
      attach_time: fromSqlTime(row.attach_time),
    })),
    row => row.instance_uuid,
  );
}
