import { type Database, fromSqlBool, prepared, type RowOf, toSqlTime } from '@folsom/db';
import type { Knex } from 'knex';
import { networkFault } from './network-faults.ts';

/** A row of `networks`. Addresses are texts, `cidr` is `10.0.0.0/24`. */
export interface NetworkRow {
  id: number;
  uuid: string;
  label: string;
  injected: boolean;
  multi_host: boolean;
  cidr: string | null;
  cidr_v6: string | null;
  netmask: string | null;
  netmask_v6: string | null;
  bridge: string | null;
  bridge_interface: string | null;
  gateway: string | null;
  gateway_v6: string | null;
  broadcast: string | null;
  dns1: string | null;
  dns2: string | null;
  dhcp_start: string | null;
  vlan: number | null;
  vpn_public_address: string | null;
  vpn_public_port: number | null;
  vpn_private_address: string | null;
  project_id: string | null;
  host: string | null;
  priority: number | null;
  rxtx_base: number | null;
  created_at: string | null;
  updated_at: string | null;
  deleted_at: string | null;
  deleted: boolean;
}

type Connection = Knex | Knex.Transaction;

const toNetwork = (row: RowOf<'networks'>): NetworkRow => ({
  ...(row satisfies { [Name in keyof NetworkRow]: unknown } as unknown as NetworkRow),
  injected: fromSqlBool(row.injected),
  multi_host: fromSqlBool(row.multi_host),
  deleted: fromSqlBool(row.deleted),
});

const live = (connection: Connection) => connection('networks').where('deleted', 0);

/** Every network that exists, oldest first. */
export async function allNetworks(db: Database): Promise<NetworkRow[]> {
  return (await everyNetwork(db.knex)).map(toNetwork);
}
const everyNetwork = prepared(sql => live(sql).orderBy('id'));

const withId = prepared((sql, id: number) => live(sql).where('id', id).first());

export async function networkById(db: Database, id: number): Promise<NetworkRow> {
  const row = await withId(db.knex, id);
  if (row === undefined) throw networkFault('NetworkNotFound', { network_id: id });
  return toNetwork(row);
}

export async function networksByIds(db: Database, ids: readonly number[]): Promise<Map<number, NetworkRow>> {
  if (ids.length === 0) return new Map();
  const rows = await withIds(db.knex, [...new Set(ids)]);
  return new Map(rows.map(row => [row.id, toNetwork(row)]));
}
const withIds = prepared((sql, ids: readonly number[]) => live(sql).whereIn('id', [...ids]));

export async function networkByUuid(db: Database, uuid: string): Promise<NetworkRow> {
  const row = await live(db.knex).where('uuid', uuid).first();
  if (row === undefined) throw networkFault('NetworkNotFoundForUUID', { uuid });
  return toNetwork(row);
}

export async function networkByCidr(db: Database, cidr: string): Promise<NetworkRow> {
  const row = await live(db.knex)
    .where(query => void query.where('cidr', cidr).orWhere('cidr_v6', cidr))
    .first();
  if (row === undefined) throw networkFault('NetworkNotFoundForCidr', { cidr });
  return toNetwork(row);
}

/**
 * The networks a caller named, in the order named. `projectId` limits them to networks of that project or of nobody;
 * null sees all (administrators).
 */
export async function networksByUuids(
  db: Database,
  uuids: readonly string[],
  projectId: string | null,
): Promise<NetworkRow[]> {
  let query = live(db.knex).whereIn('uuid', [...new Set(uuids)]);
  if (projectId !== null)
    query = query.where(or => void or.where('project_id', projectId).orWhereNull('project_id'));
  const rows = (await query).map(toNetwork);
  if (rows.length === 0) throw networkFault('NoNetworksFound');
  return uuids.map(uuid => {
    const row = rows.find(network => network.uuid === uuid);
    if (row === undefined) {
      throw networkFault('NetworkNotFoundForProject', { network_uuid: uuid, project_id: projectId });
    }
    return row;
  });
}

/** Networks that `host` serves: its own, and multi_host ones in which it already holds an address. */
export async function networksOnHost(db: Database, host: string): Promise<NetworkRow[]> {
  const rows = await live(db.knex)
    .where(
      query =>
        void query
          .where('host', host)
          .orWhere(
            multi =>
              void multi
                .where('multi_host', 1)
                .whereIn('id', db.knex('fixed_ips').select('network_id').where({ deleted: 0, host })),
          ),
    )
    .orderBy('id');
  return rows.map(toNetwork);
}

export type NewNetwork = Partial<
  Omit<NetworkRow, 'id' | 'created_at' | 'updated_at' | 'deleted_at' | 'deleted'>
> & {
  uuid: string;
};

/**
 * Stores a network together with all its addresses in one transaction.
 * `addresses` are the texts in order with whether each is reserved (network, gateway, broadcast).
 */
export async function createNetwork(
  db: Database,
  values: NewNetwork,
  addresses: readonly { address: string; reserved: boolean }[],
  now: number,
): Promise<NetworkRow> {
  const created_at = toSqlTime(now);
  const id = await db.transaction(async trx => {
    const row = {
      ...values,
      injected: values.injected ? 1 : 0,
      multi_host: values.multi_host ? 1 : 0,
      deleted: 0,
      created_at,
    };
    const [newId] = await trx('networks').insert(row);
    const rows = addresses.map(({ address, reserved }) => ({
      address,
      network_id: newId,
      allocated: 0,
      leased: 0,
      reserved: reserved ? 1 : 0,
      deleted: 0,
      created_at,
    }));
    await trx.batchInsert('fixed_ips', rows, 100);
    return newId as number;
  });
  return networkById(db, id);
}

/** Changes columns of a network. */
export async function updateNetwork(
  db: Database,
  id: number,
  changes: Partial<NetworkRow>,
  now: number,
): Promise<void> {
  const values: Record<string, unknown> = { ...changes, updated_at: toSqlTime(now) };
  for (const flag of ['injected', 'multi_host'] as const) {
    if (changes[flag] !== undefined) values[flag] = changes[flag] ? 1 : 0;
  }
  await live(db.knex).where('id', id).update(values);
}

/** Makes `host` serve the network unless another already does; gives the host that does. One statement decides. */
export async function setNetworkHost(db: Database, id: number, host: string, now: number): Promise<string> {
  await live(db.knex)
    .where('id', id)
    .where(query => void query.whereNull('host').orWhere('host', ''))
    .update({ host, updated_at: toSqlTime(now) });
  const network = await networkById(db, id);
  if (network.host === null) throw networkFault('NetworkHostNotSet', { network_id: id });
  return network.host;
}

/** Deletes a network and its addresses unless one is in use. */
export async function deleteNetwork(db: Database, id: number, now: number): Promise<void> {
  const deleted_at = toSqlTime(now);
  await db.transaction(async trx => {
    const used = await trx('fixed_ips').where({ network_id: id, deleted: 0, allocated: 1 }).first('id');
    if (used !== undefined) throw networkFault('NetworkInUse', { network_id: id });
    await trx('fixed_ips').where({ network_id: id, deleted: 0 }).update({ deleted: 1, deleted_at });
    const changed = await trx('networks').where({ id, deleted: 0 }).update({ deleted: 1, deleted_at });
    if (changed === 0) throw networkFault('NetworkNotFound', { network_id: id });
  });
}

/** Takes the network away from its project and, as Folsom does, from its host. */
export const disassociateNetwork = (db: Database, id: number, now: number): Promise<void> =>
  updateNetwork(db, id, { project_id: null, host: null }, now);
