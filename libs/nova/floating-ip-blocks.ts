import { type Database, inBatches, insertRows, toSqlTime } from '@folsom/db';
import { networkFault } from './network-faults.ts';

/** A floating address with the server it leads to, for operators. */
export interface ListedFloatingIp {
  address: string;
  project_id: string | null;
  instance_uuid: string | null;
  pool: string | null;
  interface: string | null;
}

/** Creates floating addresses, all or none. @throws Fault `FloatingIpExists` for the first that exists */
export async function createFloatingIps(
  db: Database,
  block: { addresses: readonly string[]; pool: string; interface: string },
  now: number,
): Promise<void> {
  await db.transaction(async trx => {
    const existing = new Set(
      (
        await inBatches(block.addresses, batch =>
          trx('floating_ips').where('deleted', 0).whereIn('address', batch).select('address'),
        )
      ).map(row => row.address as string),
    );
    const taken = block.addresses.find(address => existing.has(address));
    if (taken !== undefined) {
      throw networkFault('FloatingIpExists', { address: taken });
    }
    await insertRows(
      trx,
      'floating_ips',
      block.addresses.map(address => ({
        address,
        pool: block.pool,
        interface: block.interface,
        auto_assigned: 0,
        deleted: 0,
        created_at: toSqlTime(now),
      })),
    );
  });
}

/** Deletes those of the addresses that exist. */
export async function deleteFloatingIps(
  db: Database,
  addresses: readonly string[],
  now: number,
): Promise<void> {
  await db.transaction(async trx => {
    await inBatches(addresses, async batch => {
      await trx('floating_ips')
        .where('deleted', 0)
        .whereIn('address', batch)
        .update({ deleted: 1, deleted_at: toSqlTime(now) });
      return [];
    });
  });
}

/** All floating addresses, or those that a host serves. */
export function listFloatingIps(db: Database, host?: string): Promise<ListedFloatingIp[]> {
  const query = db
    .knex('floating_ips')
    .leftJoin('fixed_ips', 'fixed_ips.id', 'floating_ips.fixed_ip_id')
    .where('floating_ips.deleted', 0)
    .orderBy('floating_ips.id')
    .select(
      'floating_ips.address',
      'floating_ips.project_id',
      'fixed_ips.instance_uuid',
      'floating_ips.pool',
      'floating_ips.interface',
    );
  if (host !== undefined) query.where('floating_ips.host', host);
  return query as unknown as Promise<ListedFloatingIp[]>;
}

/** Whether there are floating addresses, or were: what an operator has deleted is not made again. */
export async function hadFloatingIps(db: Database): Promise<boolean> {
  return (await db.knex('floating_ips').first('id')) !== undefined;
}
