import { toSqlTime } from '@folsom/db';
import type { NetworkInfo } from './network-info.ts';
import type { Sql } from './rows.ts';

/** Bytes of one card in one period of the audit. */
export interface CardUsage {
  uuid: string;
  mac: string;
  bytesIn: number;
  bytesOut: number;
}

/** What a card has sent and received in the period that begins then, as its host has last written it; absent: never. */
export async function cardUsage(
  sql: Sql,
  { uuid, mac }: Pick<CardUsage, 'uuid' | 'mac'>,
  begin: number,
): Promise<{ bytesIn: number; bytesOut: number } | undefined> {
  const row = (await sql('bw_usage_cache')
    .where({ uuid, mac, start_period: toSqlTime(begin) })
    .first('bw_in', 'bw_out')) as { bw_in: number; bw_out: number } | undefined;
  return row && { bytesIn: Number(row.bw_in), bytesOut: Number(row.bw_out) };
}

/** Writes that down; in a transaction with the question before. */
export async function writeCardUsage(sql: Sql, usage: CardUsage, begin: number, now: number): Promise<void> {
  const where = { uuid: usage.uuid, mac: usage.mac, start_period: toSqlTime(begin) };
  const values = { bw_in: usage.bytesIn, bw_out: usage.bytesOut, last_refreshed: toSqlTime(now) };
  const changed = await sql('bw_usage_cache').where(where).update(values);
  if (changed === 0) {
    await sql('bw_usage_cache').insert({ ...where, ...values, created_at: toSqlTime(now), deleted: 0 });
  }
}

/** Bytes of an instance by the label of its network. */
export async function bandwidthOf(
  sql: Sql,
  uuid: string,
  network: NetworkInfo,
  begin: number,
): Promise<Record<string, { bw_in: number; bw_out: number }>> {
  const rows = (await sql('bw_usage_cache')
    .where({ uuid, start_period: toSqlTime(begin) })
    .select('mac', 'bw_in', 'bw_out')) as { mac: string; bw_in: number; bw_out: number }[];
  const out: Record<string, { bw_in: number; bw_out: number }> = {};
  for (const { mac, bw_in, bw_out } of rows) {
    const vif = network.find(({ address }) => address === mac);
    if (vif !== undefined)
      out[vif.network?.label ?? `net-name-not-found-${mac}`] = {
        bw_in: Number(bw_in),
        bw_out: Number(bw_out),
      };
  }
  return out;
}
