import { toSqlTime } from '@folsom/db';
import { novaFault } from './faults.ts';
import { alive, columns, fromRow, type RowBase, type Sql } from './rows.ts';

/** A row of `migrations`: one resize or cold migration. */
export interface MigrationRow extends RowBase {
  id: number;
  source_compute: string | null;
  dest_compute: string | null;
  /** Address of the destination. */
  dest_host: string | null;
  /** `pre-migrating`, `migrating`, `post-migrating`, `finished`, `confirmed`, `reverted`, `error`. */
  status: string;
  instance_uuid: string;
  old_instance_type_id: number;
  new_instance_type_id: number;
}

const spec = columns();

export async function createMigration(
  sql: Sql,
  migration: Omit<MigrationRow, keyof RowBase | 'id'>,
  now: number,
): Promise<MigrationRow> {
  const [id] = await sql('migrations').insert({ ...migration, deleted: 0, created_at: toSqlTime(now) });
  return migrationById(sql, id as number);
}

/** @throws Fault `MigrationNotFound` */
export async function migrationById(sql: Sql, id: number): Promise<MigrationRow> {
  const raw = await sql('migrations').where({ id }).first();
  if (!raw) throw novaFault('MigrationNotFound', { migration_id: id });
  return fromRow<MigrationRow>(spec, raw);
}

/** @throws Fault `MigrationNotFoundByStatus` */
export async function migrationByInstance(sql: Sql, uuid: string, status: string): Promise<MigrationRow> {
  const raw = await sql('migrations')
    .where({ ...alive, instance_uuid: uuid, status })
    .orderBy('id', 'desc')
    .first();
  if (!raw) throw novaFault('MigrationNotFoundByStatus', { instance_id: uuid, status });
  return fromRow<MigrationRow>(spec, raw);
}

/**
 * The hosts of an instance's last move. Its status does not tell whether both have done their part: a confirmed or
 * reverted one is called so from the moment that was asked for.
 */
export async function movedBetween(sql: Sql, uuid: string): Promise<string[]> {
  const last = await sql('migrations')
    .where({ ...alive, instance_uuid: uuid })
    .orderBy('id', 'desc')
    .first('source_compute', 'dest_compute');
  return [last?.source_compute, last?.dest_compute].filter(host => typeof host === 'string');
}

/** Instances that are there and whose move from or to a host is not over. */
export async function movedFromOrTo(sql: Sql, host: string): Promise<string[]> {
  const rows = (await sql('migrations')
    .join('instances', 'instances.uuid', 'migrations.instance_uuid')
    .where('migrations.deleted', 0)
    .where('instances.deleted', 0)
    .whereNotIn('status', ['reverted', 'error'])
    .where(query => void query.where('source_compute', host).orWhere('dest_compute', host))
    .orderBy('migrations.id', 'desc')
    .limit(MOVES_MAX)
    .distinct('migrations.instance_uuid as uuid', 'migrations.id')) as { uuid: string }[];
  return [...new Set(rows.map(row => row.uuid))];
}
const MOVES_MAX = 500;

/** Instances deleted after `since` that once moved from or to a host; at most `limit`. */
export async function deletedAfterMove(
  sql: Sql,
  host: string,
  since: number,
  limit: number,
): Promise<string[]> {
  const rows = (await sql('migrations')
    .join('instances', 'instances.uuid', 'migrations.instance_uuid')
    .where('migrations.deleted', 0)
    .where('instances.deleted', 1)
    .where('instances.deleted_at', '>', toSqlTime(since))
    .where(query => void query.where('source_compute', host).orWhere('dest_compute', host))
    .orderBy('migrations.id', 'desc')
    .limit(limit)
    .distinct('migrations.instance_uuid as uuid', 'migrations.id')) as { uuid: string }[];
  return rows.map(row => row.uuid);
}

/** Finished moves to a host that nobody has confirmed or taken back since `before`. */
export async function unconfirmedMigrations(sql: Sql, host: string, before: number): Promise<MigrationRow[]> {
  const rows = await sql('migrations')
    .where({ ...alive, dest_compute: host, status: 'finished' })
    .where('updated_at', '<=', toSqlTime(before))
    .orderBy('id');
  return rows.map(raw => fromRow<MigrationRow>(spec, raw));
}

/** An instance that is deleted before its user has confirmed its resize is not taken back any more. */
export async function endFinishedMove(sql: Sql, uuid: string, now: number): Promise<void> {
  const finished = sql('migrations').where({ ...alive, instance_uuid: uuid, status: 'finished' });
  await finished.update({ status: 'confirmed', updated_at: toSqlTime(now) });
}

/** Changes a migration; with `from`, only while its status is that one. Answers whether it happened. */
export async function updateMigration(
  sql: Sql,
  id: number,
  changes: Partial<Omit<MigrationRow, keyof RowBase | 'id'>>,
  now: number,
  from?: string,
): Promise<boolean> {
  const query = sql('migrations').where({ id });
  if (from !== undefined) query.where('status', from);
  return (await query.update({ ...changes, updated_at: toSqlTime(now) })) > 0;
}
