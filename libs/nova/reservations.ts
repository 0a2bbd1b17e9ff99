import type { Random } from '@folsom/core';
import { type Database, toSqlTime } from '@folsom/db';
import { refreshUsage, withQuota } from './quota-lock.ts';
import type { CountedResource, Deltas, Limits } from './quotas.ts';
import { alive, deletion, type Sql } from './rows.ts';

/**
 * Promises resources for work that ends later (a resize). Answers the reservations' ids, which travel with the work.
 *
 * @throws Fault `OverQuota`
 */
export async function reserve(
  db: Database,
  projectId: string,
  defaults: Limits,
  deltas: Deltas,
  world: { now: number; random: Random; expireSeconds: number },
): Promise<string[]> {
  const names = (Object.keys(deltas) as CountedResource[]).filter(name => deltas[name] !== 0);
  if (names.length === 0) return [];
  const ids = names.map(() => world.random.uuid());
  await withQuota(
    db,
    projectId,
    defaults,
    deltas,
    world.now,
    async trx => {
      const usageIds = new Map(
        (
          (await trx('quota_usages').where({ project_id: projectId }).select('id', 'resource')) as {
            id: number;
            resource: string;
          }[]
        ).map(row => [row.resource, row.id]),
      );
      await trx('reservations').insert(
        names.map((name, at) => ({
          uuid: ids[at],
          usage_id: usageIds.get(name),
          project_id: projectId,
          resource: name,
          delta: deltas[name],
          expire: toSqlTime(world.now + world.expireSeconds * 1000),
          deleted: 0,
          created_at: toSqlTime(world.now),
        })),
      );
    },
    { adds: 'reserved' },
  );
  return ids;
}

/** The work is done: what was promised now stands in the tables. */
export const commitReservations = (db: Database, ids: readonly string[] | null, now: number): Promise<void> =>
  settle(db, ids, now);

/** The work failed: nothing was taken. */
export const rollbackReservations = (
  db: Database,
  ids: readonly string[] | null,
  now: number,
): Promise<void> => settle(db, ids, now);

// Use is counted, so both only take the promise away.
async function settle(db: Database, ids: readonly string[] | null, now: number): Promise<void> {
  if (!ids || ids.length === 0) return;
  const open = () =>
    db
      .knex('reservations')
      .where(alive)
      .whereIn('uuid', [...ids]);
  const [row] = (await open().limit(1).select('project_id')) as { project_id: string | null }[];
  if ((await open().update(deletion(now))) === 0) return;
  if (row?.project_id) await refreshUsage(db, row.project_id, now);
}

/** Takes away promises whose work never ended. Answers how many. */
export const expireReservations = (sql: Sql, now: number): Promise<number> =>
  sql('reservations').where(alive).where('expire', '<', toSqlTime(now)).update(deletion(now));
