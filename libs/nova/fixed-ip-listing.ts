import { must } from '@folsom/core';
import { type Database, inBatches, type RowOf, toSqlTime } from '@folsom/db';
import { networkFault } from './network-faults.ts';

/** An address with the network it belongs to and the server that has it, for operators. */
export interface ListedFixedIp {
  id: number;
  address: string;
  cidr: string | null;
  instance_uuid: string | null;
  instanceExists: boolean;
  hostname: string | null;
  host: string | null;
}

const PAGE_ROWS = 1000;

/** Addresses of existing networks in pages, those of one host's servers where a host is given. */
export async function* listFixedIps(db: Database, host?: string): AsyncGenerator<ListedFixedIp[]> {
  const cidrOf = new Map<number, string | null>(
    (await db.knex('networks').where('deleted', 0).select('id', 'cidr')).map(row => [row.id, row.cidr]),
  );
  if (cidrOf.size === 0) return;
  for (let after = 0; ; ) {
    const query = db
      .knex('fixed_ips')
      .where('fixed_ips.id', '>', after)
      .orderBy('fixed_ips.id')
      .limit(PAGE_ROWS)
      .select<Pick<RowOf<'fixed_ips'>, 'id' | 'address' | 'network_id' | 'instance_uuid'>[]>(
        'fixed_ips.id',
        'fixed_ips.address',
        'fixed_ips.network_id',
        'fixed_ips.instance_uuid',
      );
    if (host !== undefined) {
      query
        .join('instances', 'instances.uuid', 'fixed_ips.instance_uuid')
        .where('instances.host', host)
        .where('instances.deleted', 0)
        .where('fixed_ips.deleted', 0);
    }
    const rows = await query;
    const owners = new Map(
      (
        await inBatches(
          rows.flatMap(row => (row.instance_uuid === null ? [] : [row.instance_uuid])),
          batch =>
            db
              .knex('instances')
              .where('deleted', 0)
              .whereIn('uuid', batch)
              .select('uuid', 'hostname', 'host'),
        )
      ).map(row => [row.uuid, row]),
    );
    const page = rows
      .filter(row => row.network_id !== null && cidrOf.has(row.network_id))
      .map(row => {
        const owner = row.instance_uuid === null ? undefined : owners.get(row.instance_uuid);
        return {
          id: row.id,
          address: row.address,
          cidr: (row.network_id === null ? null : cidrOf.get(row.network_id)) ?? null,
          instance_uuid: row.instance_uuid,
          instanceExists: owner !== undefined,
          hostname: owner?.hostname ?? null,
          host: owner?.host ?? null,
        };
      });
    if (page.length > 0) yield page;
    if (rows.length < PAGE_ROWS) return;
    after = must(rows.at(-1), 'rows is not empty').id;
  }
}

/** Keeps an address from being handed out, or allows it again. @throws Fault `FixedIpNotFoundForAddress` */
export async function setFixedIpReserved(
  db: Database,
  address: string,
  reserved: boolean,
  now: number,
): Promise<void> {
  const changed = await db
    .knex('fixed_ips')
    .where({ address, deleted: 0 })
    .update({ reserved: reserved ? 1 : 0, updated_at: toSqlTime(now) });
  if (changed === 0) throw networkFault('FixedIpNotFoundForAddress', { address });
}
