import { assert, must } from '@folsom/core';
import { type Database, fromSqlBool, type Knex, prepared, type RowOf, toSqlTime } from '@folsom/db';
import { networkFault } from './network-faults.ts';

/** A row of `fixed_ips`. */
export interface FixedIpRow {
  id: number;
  address: string;
  network_id: number | null;
  virtual_interface_id: number | null;
  instance_uuid: string | null;
  host: string | null;
  allocated: boolean;
  leased: boolean;
  reserved: boolean;
  created_at: string | null;
  updated_at: string | null;
  deleted_at: string | null;
  deleted: boolean;
}

const toFixedIp = (row: RowOf<'fixed_ips'>): FixedIpRow => ({
  ...(row satisfies { [Name in keyof FixedIpRow]: unknown } as unknown as FixedIpRow),
  allocated: fromSqlBool(row.allocated),
  leased: fromSqlBool(row.leased),
  reserved: fromSqlBool(row.reserved),
  deleted: fromSqlBool(row.deleted),
});

const liveIn = (sql: Knex) => sql('fixed_ips').where('fixed_ips.deleted', 0);
const live = (db: Database) => liveIn(db.knex);

/** Addresses tried at a time when one is taken from the pool. */
const POOL_CANDIDATES = 16;

/** How often the pool is read again when every candidate was taken by somebody else meanwhile. */
const POOL_ROUNDS_MAX = 200;

/** Who gets an address: an instance's card, or a host that serves a multi_host network. */
export type FixedIpOwner = { instanceUuid: string; virtualInterfaceId: number } | { host: string };

const ownerColumns = (owner: FixedIpOwner): Record<string, unknown> =>
  'host' in owner
    ? { host: owner.host }
    : {
        instance_uuid: owner.instanceUuid,
        virtual_interface_id: owner.virtualInterfaceId,
        allocated: 1,
        leased: 0,
      };

const claimFree = prepared((sql, id: number, values: Record<string, unknown>) =>
  liveIn(sql).where({ id }).whereNull('instance_uuid').whereNull('host').update(values),
);

/** Takes this address if it is free at this moment: one statement, so nobody else can have it too. */
async function claim(db: Database, id: number, owner: FixedIpOwner, now: number): Promise<boolean> {
  const changed = await claimFree(db.knex, id, { ...ownerColumns(owner), updated_at: toSqlTime(now) });
  assert(changed <= 1, 'an address is one row');
  return changed === 1;
}

const lowestFree = prepared((sql, networkId: number) =>
  liveIn(sql)
    .where({ network_id: networkId, reserved: 0 })
    .whereNull('instance_uuid')
    .whereNull('host')
    .orderBy('id')
    .limit(POOL_CANDIDATES)
    .select('id', 'address'),
);

/** Takes the lowest free address of a network. Throws NoMoreFixedIps when none is left. */
export async function takeFixedIpFromPool(
  db: Database,
  networkId: number,
  owner: FixedIpOwner,
  now: number,
): Promise<string> {
  for (let round = 0; round < POOL_ROUNDS_MAX; round++) {
    const free = await lowestFree(db.knex, networkId);
    if (free.length === 0) break;
    for (const candidate of free) if (await claim(db, candidate.id, owner, now)) return candidate.address;
  }
  throw networkFault('NoMoreFixedIps');
}

/** Takes one particular address; with `reserved` one that is kept from the pool, a VPN's. */
export async function takeFixedIp(
  db: Database,
  network: { id: number; uuid: string },
  address: string,
  owner: FixedIpOwner,
  now: number,
  reserved = false,
): Promise<string> {
  const at = { network_id: network.id, address, reserved: reserved ? 1 : 0 };
  const row = await live(db).where(at).first();
  if (row === undefined) {
    throw networkFault('FixedIpNotFoundForNetwork', { address, network_uuid: network.uuid });
  }
  if (!(await claim(db, row.id, owner, now))) {
    const holder = await live(db).where({ id: row.id }).first('instance_uuid');
    throw networkFault('FixedIpAlreadyInUse', { address, instance_uuid: holder?.instance_uuid ?? null });
  }
  return address;
}

export async function fixedIpById(db: Database, id: number): Promise<FixedIpRow> {
  const row = await live(db).where({ id }).first();
  if (row === undefined) throw networkFault('FixedIpNotFound', { id });
  return toFixedIp(row);
}

/** The live row of an address. Addresses of deleted networks may repeat; those do not count. */
export async function fixedIpByAddress(db: Database, address: string): Promise<FixedIpRow> {
  const row = await live(db).where({ address }).orderBy('id', 'desc').first();
  if (row === undefined) throw networkFault('FixedIpNotFoundForAddress', { address });
  return toFixedIp(row);
}

/** Every address bound to an instance, allocated or waiting for its lease to end. */
export async function fixedIpsOfInstance(db: Database, instanceUuid: string): Promise<FixedIpRow[]> {
  return (await heldBy(db.knex, instanceUuid)).map(toFixedIp);
}
const heldBy = prepared((sql, instanceUuid: string) =>
  liveIn(sql).where({ instance_uuid: instanceUuid }).orderBy('id'),
);

const ofCards = prepared((sql, interfaceIds: readonly number[]) =>
  liveIn(sql)
    .whereIn('virtual_interface_id', [...interfaceIds])
    .orderBy('id'),
);

/** Allocated addresses by card, for the cards given. */
export async function fixedIpsOfInterfaces(
  db: Database,
  interfaceIds: readonly number[],
): Promise<Map<number, FixedIpRow[]>> {
  const found = new Map<number, FixedIpRow[]>();
  if (interfaceIds.length === 0) return found;
  for (const row of (await ofCards(db.knex, interfaceIds)).map(toFixedIp)) {
    const list = found.get(must(row.virtual_interface_id, 'virtual_interface_id is there')) ?? [];
    list.push(row);
    found.set(must(row.virtual_interface_id, 'virtual_interface_id is there'), list);
  }
  return found;
}

/** An address as one holder of it knows it: who comes late changes nothing of the next holder's. */
export type HeldFixedIp = Pick<FixedIpRow, 'id' | 'instance_uuid'>;

/** Takes the address away from its card. It stays bound to the instance until {@link freeFixedIp}. */
export async function deallocateFixedIp(
  db: Database,
  { id, instance_uuid }: HeldFixedIp,
  now: number,
): Promise<void> {
  await live(db)
    .where({ id, instance_uuid })
    .update({ allocated: 0, virtual_interface_id: null, updated_at: toSqlTime(now) });
}

/** Gives a deallocated address back to the pool; does nothing while it is allocated. */
export async function freeFixedIp(
  db: Database,
  { id, instance_uuid }: HeldFixedIp,
  now: number,
): Promise<boolean> {
  const changed = await live(db)
    .where({ id, instance_uuid, allocated: 0 })
    .update({ instance_uuid: null, leased: 0, updated_at: toSqlTime(now) });
  return changed === 1;
}

export async function setFixedIpLeased(
  db: Database,
  { id, instance_uuid }: HeldFixedIp,
  leased: boolean,
  now: number,
): Promise<void> {
  await live(db)
    .where({ id, instance_uuid })
    .update({ leased: leased ? 1 : 0, updated_at: toSqlTime(now) });
}

/** The address a host serves a multi_host network with, if it has one. */
export async function fixedIpOfHost(
  db: Database,
  networkId: number,
  host: string,
): Promise<string | undefined> {
  const row = await live(db).where({ network_id: networkId, host }).orderBy('id').first('address');
  return row?.address;
}

/** What dnsmasq has to know about an address. */
export interface AssociatedFixedIp {
  address: string;
  mac: string;
  hostname: string;
  leased: boolean;
  /** The card's number, and whether it is not the first of its instance. */
  card: number;
  further: boolean;
}

/** All addresses of a network that belong to living instances; with `host`, of instances of that host only. */
export async function associatedFixedIps(
  db: Database,
  networkId: number,
  host: string | null,
): Promise<AssociatedFixedIp[]> {
  let query = live(db)
    .join('virtual_interfaces', 'virtual_interfaces.id', 'fixed_ips.virtual_interface_id')
    .join('instances', 'instances.uuid', 'fixed_ips.instance_uuid')
    .where('fixed_ips.network_id', networkId)
    .where('fixed_ips.allocated', 1)
    .where('virtual_interfaces.deleted', 0)
    .where('instances.deleted', 0);
  if (host !== null) query = query.where('instances.host', host);
  const earlier = db.knex.raw<{ earlier: number }>(
    '(select count(*) from virtual_interfaces other where other.instance_uuid = virtual_interfaces.instance_uuid and other.id < virtual_interfaces.id and other.deleted = 0) as earlier',
  );
  const rows = await query.orderBy('fixed_ips.id').select<
    {
      address: string;
      mac: string;
      hostname: string | null;
      leased: number;
      card: number;
      earlier: number;
    }[]
  >(
    'fixed_ips.address as address',
    'virtual_interfaces.address as mac',
    'instances.hostname as hostname',
    'fixed_ips.leased as leased',
    'virtual_interfaces.id as card',
    earlier,
  );
  return rows.map(row => ({
    address: row.address,
    mac: row.mac,
    hostname: row.hostname ?? '',
    leased: fromSqlBool(row.leased),
    card: row.card,
    further: Number(row.earlier) > 0,
  }));
}

/** Gives back addresses whose guests are gone since before `before` and never said goodbye. Returns how many. */
export async function freeStaleFixedIps(
  db: Database,
  host: string,
  before: number,
  now: number,
): Promise<number> {
  const rows = await live(db)
    .join('networks', 'networks.id', 'fixed_ips.network_id')
    .join('instances', 'instances.uuid', 'fixed_ips.instance_uuid')
    .where('fixed_ips.allocated', 0)
    .where('fixed_ips.updated_at', '<', toSqlTime(before))
    .where(
      query =>
        void query
          .where('networks.host', host)
          .orWhere(multi => void multi.where('networks.multi_host', 1).where('instances.host', host)),
    )
    .select<{ id: number }[]>('fixed_ips.id as id');
  let freed = 0;
  for (let from = 0; from < rows.length; from += 200) {
    freed += await live(db)
      .whereIn(
        'id',
        rows.slice(from, from + 200).map(row => row.id),
      )
      .where('allocated', 0)
      .update({ instance_uuid: null, leased: 0, updated_at: toSqlTime(now) });
  }
  return freed;
}

const floatingOf = prepared((sql, fixedIpIds: readonly number[]) =>
  sql('floating_ips')
    .where('deleted', 0)
    .whereIn('fixed_ip_id', [...fixedIpIds])
    .orderBy('id')
    .select('fixed_ip_id', 'address'),
);

/** Addresses that floating IPs stand for: fixed address id to floating addresses. */
export async function floatingIpsOfFixedIps(
  db: Database,
  fixedIpIds: readonly number[],
): Promise<Map<number, string[]>> {
  const found = new Map<number, string[]>();
  if (fixedIpIds.length === 0) return found;
  for (const { fixed_ip_id: id, address } of await floatingOf(db.knex, fixedIpIds)) {
    if (id !== null) found.set(id, [...(found.get(id) ?? []), address]);
  }
  return found;
}
