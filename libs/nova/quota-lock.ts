import { assert, keyedMutex } from '@folsom/core';
import { type Database, type Knex, prepared, toSqlTime } from '@folsom/db';
import {
  COUNTED,
  type CountedResource,
  type Deltas,
  exceeded,
  type Limits,
  limitsOf,
  overQuota,
  type Usage,
  usagesOf,
} from './quotas.ts';
import type { Sql } from './rows.ts';

/**
 * Changes of a tenant's use, one at a time over all processes. Who waits, waits in this process first and holds no
 * connection meanwhile, so that other tenants' requests always find one.
 */

/** What runs a transaction: a database, or an outbox, whose transactions also send. */
type Transact<Extra extends unknown[]> = <R>(
  fn: (trx: Knex.Transaction, ...extra: Extra) => Promise<R>,
) => Promise<R>;

const queues = new WeakMap<Database, ReturnType<typeof keyedMutex>>();

function queueOf(db: Database): ReturnType<typeof keyedMutex> {
  let queue = queues.get(db);
  if (queue === undefined) {
    queue = keyedMutex();
    queues.set(db, queue);
  }
  return queue;
}

/** Runs `fn` in a transaction, alone under this name: of processes that share the database, too. */
export const withLock = <T, Extra extends unknown[] = []>(
  db: Database,
  name: string,
  fn: (trx: Knex.Transaction, ...extra: Extra) => Promise<T>,
  transact: Transact<Extra> = db.transaction as unknown as Transact<Extra>,
): Promise<T> =>
  queueOf(db)(name, () =>
    transact(async (trx, ...extra) => {
      // SQLite's transactions exclude each other anyway.
      if (db.kind === 'mysql')
        await trx.raw('INSERT INTO folsom_locks (name) VALUES (?) ON DUPLICATE KEY UPDATE name = name', [
          name,
        ]);
      return fn(trx, ...extra);
    }),
  );

/**
 * Runs `fn` in a transaction that alone may change the tenant's use, after checking that the deltas fit. What `fn`
 * writes is what counts from then on, so nothing can be left over if the process dies.
 *
 * @throws Fault `OverQuota`
 */
export function withQuota<T, Extra extends unknown[] = []>(
  db: Database,
  projectId: string,
  defaults: Limits,
  deltas: Deltas,
  now: number,
  fn: (trx: Knex.Transaction, ...extra: Extra) => Promise<T>,
  options: {
    /** Default: the database's own. */
    transact?: Transact<Extra>;
    /** What the deltas add to: `reserved` for a promise. */
    adds?: keyof Usage;
  } = {},
): Promise<T> {
  const names = Object.keys(deltas) as CountedResource[];
  return withLock<T, Extra>(
    db,
    projectId,
    async (trx, ...extra) => {
      if (names.length === 0) return fn(trx, ...extra);
      await usageRows(trx, projectId, now);
      const limits = await limitsOf(trx, projectId, defaults);
      const usages = await usagesOf(trx, projectId, names);
      const over = exceeded(limits, usages, deltas);
      if (over) throw overQuota(over);
      const result = await fn(trx, ...extra);
      const { adds = 'in_use' } = options;
      await writeUsages(trx, projectId, names, name => ({
        ...usages[name],
        [adds]: usages[name][adds] + (deltas[name] ?? 0),
      }));
      return result;
    },
    options.transact,
  );
}

/**
 * Writes down what the tenant has of what it ever took through its quota. We count from the tables and read none of
 * this; an original that takes the database over goes by it.
 */
export function refreshUsage(db: Database, projectId: string, now: number): Promise<void> {
  const asked = refreshes.get(db) ?? new Map<string, Promise<void>>();
  refreshes.set(db, asked);
  // One that has not begun yet will see our change, too.
  const waiting = asked.get(projectId);
  if (waiting !== undefined) return waiting;
  const own = withLock(db, projectId, trx => {
    asked.delete(projectId);
    return recount(trx, projectId, now);
  }).finally(() => {
    if (asked.get(projectId) === own) asked.delete(projectId);
  });
  asked.set(projectId, own);
  return own;
}
const refreshes = new WeakMap<Database, Map<string, Promise<void>>>();

async function recount(trx: Sql, projectId: string, now: number): Promise<void> {
  const rows = await usageRows(trx, projectId, now);
  const usages = await usagesOf(trx, projectId);
  // The default group is made without a reservation: it counts once the tenant has reserved another.
  const known = COUNTED.filter(name => name !== 'security_groups' || (rows.get(name)?.in_use ?? 0) > 0);
  const changed = known.filter(name => {
    const row = rows.get(name);
    return row?.in_use !== usages[name].in_use || row.reserved !== usages[name].reserved;
  });
  if (changed.length > 0) await writeUsages(trx, projectId, changed, name => usages[name]);
}

async function writeUsages(
  trx: Sql,
  projectId: string,
  names: readonly CountedResource[],
  usageOf: (name: CountedResource) => Usage,
): Promise<void> {
  const column = (field: keyof Usage) => names.flatMap(name => [name, usageOf(name)[field]]);
  await setUsages(trx, projectId, names, { in_use: column('in_use'), reserved: column('reserved') });
}

type Usages = Record<keyof Usage, readonly (string | number)[]>;
const setUsages = prepared((sql, projectId: string, names: readonly string[], usages: Usages) => {
  const column = (field: keyof Usage) =>
    sql.raw(`case resource ${'when ? then ? '.repeat(names.length)}end`, [...usages[field]]);
  return sql('quota_usages')
    .where({ project_id: projectId })
    .whereIn('resource', [...names])
    .update({ in_use: column('in_use'), reserved: column('reserved') });
});

interface UsageRow extends Usage {
  id: number;
  resource: string;
}

const lockedUsages = prepared(
  (sql, projectId: string) =>
    sql('quota_usages')
      .where({ project_id: projectId })
      .orderBy('id')
      .forUpdate()
      .select('id', 'resource', 'in_use', 'reserved') as PromiseLike<UsageRow[]>,
);

/**
 * The tenant's rows, one a resource, locked: an original API beside us locks the same. Makes those that are missing, and
 * joins what services that knew of no lock have made twice.
 */
async function usageRows(trx: Sql, projectId: string, now: number): Promise<Map<string, UsageRow>> {
  let rows = await lockedUsages(trx, projectId);
  const present = new Map(rows.toReversed().map(row => [row.resource, row]));
  const missing = COUNTED.filter(name => !present.has(name));
  if (missing.length > 0) {
    await trx('quota_usages').insert(
      missing.map(resource => ({
        project_id: projectId,
        resource,
        in_use: 0,
        reserved: 0,
        deleted: 0,
        created_at: toSqlTime(now),
      })),
    );
    rows = await lockedUsages(trx, projectId);
  }
  const first = new Map<string, UsageRow>();
  for (const row of rows) {
    const kept = first.get(row.resource);
    if (kept === undefined) first.set(row.resource, row);
    else {
      await trx('reservations').where({ usage_id: row.id }).update({ usage_id: kept.id });
      await trx('quota_usages').where({ id: row.id }).delete();
    }
  }
  assert(
    COUNTED.every(name => first.has(name)),
    'a tenant has one usage row for each counted resource',
  );
  return first;
}

/** Tenants whose usage rows say something else than the tables, at most `limit`. One statement a table. */
export async function tenantsToRefresh(db: Database, limit: number): Promise<string[]> {
  const { knex } = db;
  const real = (await knex('instances')
    .where({ deleted: 0 })
    .where(where => void where.whereNull('task_state').orWhereNot('task_state', 'deleting'))
    .groupBy('project_id')
    .select(
      'project_id',
      knex.raw('count(*) as instances'),
      knex.raw('sum(vcpus) as cores'),
      knex.raw('sum(memory_mb) as ram'),
    )) as Record<string, unknown>[];
  const floating = (await knex('floating_ips')
    .where({ deleted: 0, auto_assigned: 0 })
    .whereNotNull('project_id')
    .groupBy('project_id')
    .select('project_id', knex.raw('count(*) as floating_ips'))) as Record<string, unknown>[];
  const volumes = (await knex('volumes')
    .where({ deleted: 0 })
    .groupBy('project_id')
    .select('project_id', knex.raw('count(*) as volumes'), knex.raw('sum(size) as gigabytes'))) as Record<
    string,
    unknown
  >[];
  const fixed = (await knex('fixed_ips as f')
    .join('instances as i', 'i.uuid', 'f.instance_uuid')
    .where({ 'f.deleted': 0, 'f.allocated': 1, 'i.deleted': 0 })
    .groupBy('i.project_id')
    .select('i.project_id as project_id', knex.raw('count(*) as fixed_ips'))) as Record<string, unknown>[];
  const promised = (await knex('reservations')
    .where({ deleted: 0 })
    .where('delta', '>', 0)
    .distinct('project_id')) as { project_id: string }[];
  const counts = new Map<string, Record<string, unknown>>();
  for (const row of [...real, ...floating, ...volumes, ...fixed])
    counts.set(String(row.project_id), { ...counts.get(String(row.project_id)), ...row });
  const open = new Set(promised.map(row => row.project_id));
  const rows = (await knex('quota_usages')
    .whereIn('resource', ['instances', 'cores', 'ram', 'volumes', 'gigabytes', 'floating_ips', 'fixed_ips'])
    .select('project_id', 'resource', 'in_use', 'reserved')) as {
    project_id: string;
    resource: string;
    in_use: number;
    reserved: number;
  }[];
  const wrong = new Set<string>();
  for (const { project_id, resource, in_use, reserved } of rows) {
    const inUse = Number(counts.get(project_id)?.[resource] ?? 0);
    if (in_use !== inUse || (reserved !== 0 && !open.has(project_id))) wrong.add(project_id);
    if (wrong.size >= limit) break;
  }
  return [...wrong];
}
