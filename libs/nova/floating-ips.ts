import { type Database, fromSqlBool, toSqlTime } from '@folsom/db';
import { networkFault } from './network-faults.ts';

/** A row of `floating_ips`. */
export interface FloatingIpRow {
  id: number;
  address: string;
  fixed_ip_id: number | null;
  project_id: string | null;
  /** The host that serves it while it leads to an instance. */
  host: string | null;
  auto_assigned: boolean;
  pool: string | null;
  interface: string | null;
  created_at: string | null;
  updated_at: string | null;
  deleted_at: string | null;
  deleted: boolean;
}

const toFloatingIp = (row: Record<string, unknown>): FloatingIpRow => ({
  ...(row as unknown as FloatingIpRow),
  auto_assigned: fromSqlBool(row.auto_assigned),
  deleted: fromSqlBool(row.deleted),
});

const live = (db: Database) => db.knex('floating_ips').where('floating_ips.deleted', 0);

/** Addresses tried at a time when one is taken from a pool, and how often when others were quicker. */
const CANDIDATES = 16;
const ROUNDS_MAX = 200;

/** @throws Fault `FloatingIpNotFound` */
export async function floatingIpById(db: Database, id: number): Promise<FloatingIpRow> {
  const row = await live(db).where({ id }).first();
  if (row === undefined) throw networkFault('FloatingIpNotFound', { id });
  return toFloatingIp(row);
}

/** @throws Fault `FloatingIpNotFoundForAddress` */
export async function floatingIpByAddress(db: Database, address: string): Promise<FloatingIpRow> {
  const row = await live(db).where({ address }).first();
  if (row === undefined) throw networkFault('FloatingIpNotFoundForAddress', { address });
  return toFloatingIp(row);
}

/** Those of a tenant that it asked for itself. */
export const floatingIpsOfProject = async (db: Database, projectId: string): Promise<FloatingIpRow[]> =>
  (await live(db).where({ project_id: projectId, auto_assigned: 0 }).orderBy('id')).map(toFloatingIp);

/** Those that a host serves, each with the fixed address it leads to. */
export async function floatingIpsOfHost(
  db: Database,
  host: string,
): Promise<{ address: string; fixed_address: string; interface: string | null }[]> {
  return live(db)
    .join('fixed_ips', 'fixed_ips.id', 'floating_ips.fixed_ip_id')
    .where('floating_ips.host', host)
    .where('fixed_ips.deleted', 0)
    .orderBy('floating_ips.id')
    .select('floating_ips.address', 'floating_ips.interface', 'fixed_ips.address as fixed_address');
}

export const floatingIpsOfFixedIp = async (db: Database, fixedIpId: number): Promise<FloatingIpRow[]> =>
  (await live(db).where({ fixed_ip_id: fixedIpId }).orderBy('id')).map(toFloatingIp);

export const floatingPools = (db: Database): Promise<{ name: string }[]> =>
  live(db).whereNotNull('pool').distinct<{ name: string }[]>('pool as name').orderBy('pool');

/** Takes a free address of a pool for a tenant. @throws Fault `NoMoreFloatingIps` */
export async function takeFloatingIp(
  db: Database,
  request: { projectId: string; pool: string; autoAssigned: boolean },
  now: number,
): Promise<string> {
  const free = () => live(db).whereNull('fixed_ip_id').whereNull('project_id').where('pool', request.pool);
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const candidates = await free().orderBy('id').limit(CANDIDATES).select('id', 'address');
    if (candidates.length === 0) break;
    for (const { id, address } of candidates) {
      const taken = await free()
        .where({ id })
        .update({
          project_id: request.projectId,
          auto_assigned: request.autoAssigned ? 1 : 0,
          updated_at: toSqlTime(now),
        });
      if (taken === 1) return address as string;
    }
  }
  throw networkFault('NoMoreFloatingIps');
}

/** Gives an address back to its pool, if it leads nowhere. Answers whether it did. */
export const giveBackFloatingIp = async (db: Database, id: number, now: number): Promise<boolean> =>
  (await live(db)
    .where({ id })
    .whereNull('fixed_ip_id')
    .update({ project_id: null, host: null, auto_assigned: 0, updated_at: toSqlTime(now) })) === 1;

/** Lets an address lead to a fixed one, served by `host`; false where it leads somewhere already. */
export const bindFloatingIp = async (
  db: Database,
  id: number,
  to: { fixedIpId: number; host: string },
  now: number,
): Promise<boolean> =>
  (await live(db)
    .where({ id })
    .whereNull('fixed_ip_id')
    .update({ fixed_ip_id: to.fixedIpId, host: to.host, updated_at: toSqlTime(now) })) === 1;

/** Lets an address lead nowhere; false where it did not lead to `fixedIpId` any more. */
export const unbindFloatingIp = async (
  db: Database,
  id: number,
  fixedIpId: number,
  now: number,
): Promise<boolean> =>
  (await live(db)
    .where({ id, fixed_ip_id: fixedIpId })
    .update({ fixed_ip_id: null, host: null, updated_at: toSqlTime(now) })) === 1;

/** An instance moved: in multi_host networks its own host serves its addresses. */
export async function moveFloatingIps(
  db: Database,
  instanceUuid: string,
  host: string,
  now: number,
): Promise<void> {
  const fixed = db
    .knex('fixed_ips')
    .join('networks', 'networks.id', 'fixed_ips.network_id')
    .where('instance_uuid', instanceUuid)
    .where('fixed_ips.deleted', 0)
    .where('networks.multi_host', 1)
    .select('fixed_ips.id');
  await live(db)
    .whereIn('fixed_ip_id', fixed)
    .update({ host, updated_at: toSqlTime(now) });
}
