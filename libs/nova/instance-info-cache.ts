import { type Database, prepared, toSqlTime } from '@folsom/db';
import { type NetworkInfo, parseNetworkInfo } from './network-info.ts';
import type { Sql } from './rows.ts';

const cacheOf = prepared((sql, instanceUuid: string) =>
  sql('instance_info_caches').where({ instance_uuid: instanceUuid, deleted: 0 }).first('network_info'),
);
const replaceCache = prepared(
  (sql, instanceUuid: string, values: { network_info: string; updated_at: string }) =>
    sql('instance_info_caches').where({ instance_uuid: instanceUuid, deleted: 0 }).update(values),
);

/** Cached network of an instance; empty when there is none. */
export async function cachedNetworkInfo(db: Database, instanceUuid: string): Promise<NetworkInfo> {
  const row = await cacheOf(db.knex, instanceUuid);
  return parseNetworkInfo(row?.network_info);
}

/** Replaces the cached network; a cache that was deleted with its instance is left alone. */
export async function saveNetworkInfo(
  db: Database,
  instanceUuid: string,
  info: NetworkInfo,
  now: number,
): Promise<void> {
  const network_info = JSON.stringify(info);
  const time = toSqlTime(now);
  const changed = await replaceCache(db.knex, instanceUuid, { network_info, updated_at: time });
  if (changed > 0) return;
  await db.transaction(async trx => {
    const present = await trx('instance_info_caches').where({ instance_uuid: instanceUuid }).first('id');
    if (present !== undefined) return;
    await trx('instance_info_caches').insert({
      instance_uuid: instanceUuid,
      network_info,
      created_at: time,
      deleted: 0,
    });
  });
}

export async function deleteInfoCache(sql: Sql, instanceUuid: string, now: number): Promise<void> {
  await sql('instance_info_caches')
    .where({ instance_uuid: instanceUuid, deleted: 0 })
    .update({ deleted: 1, deleted_at: toSqlTime(now) });
}
