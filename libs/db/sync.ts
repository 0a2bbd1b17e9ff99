import type { Knex } from 'knex';
import type { Database } from './database.ts';
import { DatabaseError } from './errors.ts';
import { glanceSchema } from './schema/glance.ts';
import { keystoneSchema } from './schema/keystone.ts';
import { novaSchema } from './schema/nova.ts';
import { addColumnSql, createIndexSql, createTableSql, indexName } from './schema/statements.ts';
import { int, type Schema, table, text, varchar } from './schema/table.ts';

export type SchemaName = 'keystone' | 'glance' | 'nova';

const SCHEMAS: Readonly<Record<SchemaName, Schema>> = {
  keystone: keystoneSchema,
  glance: glanceSchema,
  nova: novaSchema,
};

/** What the originals keep their version in. */
const VERSION_TABLE = table(
  'migrate_version',
  { repository_id: varchar(250), repository_path: text, version: int },
  { primaryKey: ['repository_id'] },
);

/** How long a second program waits for the one that is migrating. */
const SYNC_LOCK_SECONDS = 120;

/** The version the database is at; null when it was never put under version control. */
export async function dbVersion(db: Database, name: SchemaName): Promise<number | null> {
  const found = await readVersion(db.knex, name);
  return found === undefined ? null : found;
}

async function readVersion(knex: Knex, name: SchemaName): Promise<number | undefined> {
  try {
    const row = await knex<{ repository_id: string; version: number | null }>('migrate_version')
      .where({ repository_id: SCHEMAS[name].repositoryId })
      .first('version');
    return row === undefined ? undefined : Number(row.version ?? 0);
  } catch (error) {
    if (isMissingTable(error)) return undefined;
    throw error;
  }
}

const isMissingTable = (error: unknown): boolean =>
  (error as { errno?: number }).errno === 1146 || /no such table/.test((error as Error).message);

/**
 * Writes down which version a database is at, without changing anything else in it. Throws a
 * {@link DatabaseError} when that has been done before.
 */
export async function putUnderVersionControl(
  db: Database,
  name: SchemaName,
  version?: number,
): Promise<void> {
  const schema = SCHEMAS[name];
  if ((await dbVersion(db, name)) !== null) {
    throw new DatabaseError(`${db.description} is already under migration control`);
  }
  for (const sql of createTableSql(db.kind, VERSION_TABLE)) await db.knex.raw(sql);
  await db.knex('migrate_version').insert(versionRow(schema, version ?? schema.version));
}

const versionRow = (schema: Schema, version: number) => ({
  repository_id: schema.repositoryId,
  repository_path: 'folsom',
  version,
});

/**
 * For daemons at start: throws a {@link DatabaseError} unless the schema is exactly the one they know.
 * One query.
 */
export async function checkSchema(db: Database, name: SchemaName): Promise<void> {
  const schema = SCHEMAS[name];
  const version = await readVersion(db.knex, name);
  if (version === schema.version) return;
  if (version !== undefined && version > schema.version) throw newer(db, name, version);
  throw new DatabaseError(
    version === undefined || version === 0
      ? `${db.description} holds no ${name} tables yet: run "${schema.syncCommand}"`
      : `${db.description} holds ${name} schema ${version}, ${schema.version} is needed: run "${schema.syncCommand}"`,
  );
}

/**
 * As {@link checkSchema}, and makes the tables and indexes of our own that a database of the original lacks. Where the
 * database's user may not, says what to run; without the indexes alone everything works, only slower.
 */
export async function checkWithOwnTables(db: Database, name: SchemaName): Promise<void> {
  await checkSchema(db, name);
  const schema = SCHEMAS[name];
  if ((await missingExtras(db.knex, db.kind, schema)).length === 0) return;
  try {
    await dbSync(db, name);
  } catch (error) {
    const missing: string[] = [];
    for (const item of schema.extraTables) {
      if (!(await db.knex.schema.hasTable(item.name))) missing.push(item.name);
    }
    if (missing.length === 0) return;
    throw new DatabaseError(
      `${db.description} lacks ${missing.join(', ')}, which could not be made: run "${schema.syncCommand}" as a user who ` +
        `may make tables (${(error as Error).message})`,
      { cause: error },
    );
  }
}

export interface SyncPlan {
  /** As {@link dbVersion}. */
  from: number | null;
  to: number;
  /** Tables and indexes of our own that are missing. */
  missing: number;
  /** Why {@link dbSync} would refuse it. */
  refusal?: string;
}

/** What {@link dbSync} would do; changes nothing. */
export async function syncPlan(db: Database, name: SchemaName): Promise<SyncPlan> {
  const schema = SCHEMAS[name];
  const from = await dbVersion(db, name);
  const missing = (await missingExtras(db.knex, db.kind, schema)).length;
  const plan = { from, to: schema.version, missing };
  if (from !== null && from > schema.version) return { ...plan, refusal: newer(db, name, from).message };
  if (from !== null && from > 0 && from < schema.oldestVersion)
    return { ...plan, refusal: tooOld(db, name, from).message };
  return plan;
}

const tooOld = (db: Database, name: SchemaName, from: number): DatabaseError =>
  new DatabaseError(
    `${db.description} holds ${name} schema ${from}, older than Folsom's: bring it to ${SCHEMAS[name].version} with ` +
      `the "${SCHEMAS[name].syncCommand}" of the original Folsom first`,
  );

const newer = (db: Database, name: SchemaName, version: number): DatabaseError =>
  new DatabaseError(
    `${db.description} holds ${name} schema ${version}, which is newer than ${SCHEMAS[name].version}, ` +
      'the last one this program knows; it is left untouched',
  );

export interface SyncResult {
  from: number | null;
  to: number;
  /** Nothing had to be done. */
  unchanged: boolean;
}

/**
 * Brings a database to Folsom's schema: creates it, takes over an original's, adds our own indexes. May be run
 * at any time and by several programs at once. `version` is checked, there is only one to go to.
 */
export async function dbSync(db: Database, name: SchemaName, version?: number): Promise<SyncResult> {
  const schema = SCHEMAS[name];
  const from = await dbVersion(db, name);
  if (from !== null && from > schema.version) throw newer(db, name, from);
  if (version !== undefined && version !== schema.version) {
    if (from === version) return { from, to: version, unchanged: true };
    throw new DatabaseError(
      `${name} schema ${version} cannot be reached: this program knows version ${schema.version} only`,
    );
  }
  if (from !== null && from > 0 && from < schema.oldestVersion) {
    throw tooOld(db, name, from);
  }
  if (from === schema.version && (await missingExtras(db.knex, db.kind, schema)).length === 0) {
    return { from, to: from, unchanged: true };
  }
  if (db.kind === 'sqlite') {
    await db.transaction(trx => migrate(trx, db, name));
  } else {
    await underServerLock(db, name, knex => migrate(knex, db, name));
  }
  return { from, to: schema.version, unchanged: false };
}

type Run = (sql: string) => Promise<void>;

async function migrate(knex: Knex | Knex.Transaction, db: Database, name: SchemaName): Promise<void> {
  const schema = SCHEMAS[name];
  const run: Run = async sql => void (await knex.raw(sql));
  // Another program may have been faster.
  const version = await readVersion(knex, name);
  for (const sql of createTableSql(db.kind, VERSION_TABLE)) await run(sql);
  if (version === undefined || version === 0) {
    for (const item of schema.tables) for (const sql of createTableSql(db.kind, item)) await run(sql);
    for (const { table: seeded, rows } of schema.seed) {
      const [row] = await knex(seeded).count({ total: '*' });
      if (Number(row?.total) === 0) await knex(seeded).insert(rows);
    }
  } else {
    for (const step of schema.upgrades.filter(item => item.from >= version)) {
      for (const [item, columns] of Object.entries(step.addColumns)) {
        for (const [column, type] of Object.entries(columns)) {
          if (!(await knex.schema.hasColumn(item, column)))
            await run(addColumnSql(db.kind, item, column, type));
        }
      }
    }
  }
  const empty = await Promise.all(
    Object.keys(schema.fill ?? {}).map(async name => ((await knex.schema.hasTable(name)) ? [] : [name])),
  );
  for (const sql of await missingExtras(knex, db.kind, schema)) await run(sql);
  for (const item of empty.flat()) await schema.fill?.[item]?.(knex);
  // Last: what was interrupted before this is done again.
  const row = versionRow(schema, schema.version);
  if (version === undefined) await knex('migrate_version').insert(row).onConflict('repository_id').merge();
  else if (version !== schema.version) {
    await knex('migrate_version')
      .where({ repository_id: schema.repositoryId })
      .update({ version: row.version });
  }
}

/** Statements for those of our own tables and indexes that the database lacks. One or two queries. */
async function missingExtras(
  knex: Knex | Knex.Transaction,
  kind: Database['kind'],
  schema: Schema,
): Promise<string[]> {
  const rows = (
    kind === 'sqlite'
      ? await knex('sqlite_master').select({ kind: 'type', name: 'name' }).whereIn('type', ['table', 'index'])
      : (
          await knex.raw<[unknown]>(
            "SELECT 'table' AS kind, table_name AS name FROM information_schema.tables WHERE table_schema = DATABASE() " +
              "UNION ALL SELECT DISTINCT 'index', CONCAT(table_name, '.', index_name) " +
              "FROM information_schema.statistics WHERE table_schema = DATABASE() AND index_name LIKE 'folsom%'",
          )
        )[0]
  ) as { kind: string; name: string }[];
  const present = new Set(rows.map(row => `${row.kind} ${row.name}`));
  const out: string[] = [];
  for (const item of schema.extraTables) {
    if (!present.has(`table ${item.name}`)) out.push(...createTableSql(kind, item));
  }
  for (const [item, indexes] of Object.entries(schema.extraIndexes)) {
    for (const [index, columns] of Object.entries(indexes)) {
      const known = kind === 'sqlite' ? indexName(kind, item, index) : `${item}.${index}`;
      if (!present.has(`index ${known}`)) out.push(createIndexSql(kind, item, index, columns));
    }
  }
  return out;
}

// MySQL commits after every CREATE: instead of a transaction, a lock of the server keeps other programs out.
async function underServerLock(
  db: Database,
  name: SchemaName,
  fn: (knex: Knex) => Promise<void>,
): Promise<void> {
  await db.knex.transaction(async trx => {
    const lock = `folsom_sync_${name}`;
    const [[row] = []] = await trx.raw<[{ taken: number | null }[]]>('SELECT GET_LOCK(?, ?) AS taken', [
      lock,
      SYNC_LOCK_SECONDS,
    ]);
    if (row?.taken !== 1) throw new DatabaseError(`${db.description} is being migrated by another program`);
    try {
      await fn(trx);
    } finally {
      await trx.raw('SELECT RELEASE_LOCK(?)', [lock]).catch(() => {});
    }
  });
}
