import { insertRows } from '@folsom/db';
import { alive, type Sql } from './rows.ts';

/** Numbers of iSCSI targets, one a volume of a host, as daemons that number their targets need them. */

/** The number a volume has; undefined for none. */
export async function targetOf(sql: Sql, host: string, volumeId: string): Promise<number | undefined> {
  const row = await sql('iscsi_targets')
    .where({ ...alive, host, volume_id: volumeId })
    .first('target_num');
  return row?.target_num as number | undefined;
}

/**
 * Gives a free number to a volume; undefined when all of the host's are taken. Run it in a transaction. Numbers from 1 to
 * `most` are made at the first use.
 */
export async function takeTarget(
  trx: Sql,
  host: string,
  volumeId: string,
  most: number,
): Promise<number | undefined> {
  const rows = (await trx('iscsi_targets')
    .where({ ...alive, host })
    .orderBy('target_num')
    .forUpdate()
    .select('id', 'target_num', 'volume_id')) as {
    id: number;
    target_num: number;
    volume_id: string | null;
  }[];
  const numbers = new Set(rows.map(row => row.target_num));
  const missing = Array.from({ length: most }, (_none, at) => at + 1).filter(at => !numbers.has(at));
  if (missing.length > 0) {
    await insertRows(
      trx,
      'iscsi_targets',
      missing.map(target_num => ({ host, target_num, volume_id: null, deleted: 0 })),
    );
  }
  const free = [...rows.filter(row => row.volume_id === null).map(row => row.target_num), ...missing];
  const target_num = free.sort((a, b) => a - b)[0];
  if (target_num === undefined) return undefined;
  await trx('iscsi_targets')
    .where({ ...alive, host, target_num })
    .update({ volume_id: volumeId });
  return target_num;
}

/** Numbers of the host that none of these volumes has. */
export async function freeTargets(sql: Sql, host: string, known: ReadonlySet<string>): Promise<number[]> {
  const rows = (await sql('iscsi_targets')
    .where({ ...alive, host })
    .select('target_num', 'volume_id')) as { target_num: number; volume_id: string | null }[];
  return rows.filter(row => row.volume_id === null || !known.has(row.volume_id)).map(row => row.target_num);
}
