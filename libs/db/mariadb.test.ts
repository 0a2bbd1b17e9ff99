import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { type MariaDb, serverMissing, startMariaDb } from '@folsom/testing';
import mysql from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  checkSchema,
  type Database,
  dbSync,
  dbVersion,
  fromSqlTime,
  insertReturningId,
  isDuplicate,
  isUnstorable,
  openDatabase,
  type SchemaName,
  toSqlTime,
  updateWhere,
} from './index.ts';

const HEAD: Record<SchemaName, number> = { keystone: 4, glance: 15, nova: 133 };
const NAMES = Object.keys(HEAD) as SchemaName[];

// Dumps of databases that the originals made and used.
const DUMPS = fileURLToPath(new URL('../../test/fixtures/db/', import.meta.url));

const missing = serverMissing('mariadb');
let server: MariaDb;
beforeAll(async () => {
  if (!missing) server = await startMariaDb();
});
afterAll(() => server?.stop());

async function opened<T>(connection: string, fn: (db: Database) => Promise<T>): Promise<T> {
  const db = await openDatabase({ connection });
  try {
    return await fn(db);
  } finally {
    await db.close();
  }
}

async function takeOver(name: SchemaName, database: string): Promise<string> {
  const connection = await server.createDatabase(database);
  const client = await mysql.createConnection({ uri: connection, multipleStatements: true });
  await client.query(gunzipSync(readFileSync(resolve(DUMPS, `${name}.sql.gz`))).toString('utf8'));
  await client.end();
  return connection;
}

/** What a program can see of the schema: columns, indexes and foreign keys, our own left out. */
async function shape(db: Database): Promise<string[]> {
  const rows = async (sql: string): Promise<string[]> =>
    (await db.knex.raw(sql))[0].map((row: Record<string, unknown>) => Object.values(row).join(' '));
  const here = 'table_schema = DATABASE()';
  return [
    ...(await rows(
      `SELECT 'column', table_name, ordinal_position, column_name, column_type, is_nullable, extra
       FROM information_schema.columns WHERE ${here} AND table_name NOT LIKE 'folsom%'
         AND NOT (table_name = 'migrate_version')`,
    )),
    ...(await rows(
      `SELECT 'index', table_name, index_name, non_unique, seq_in_index, column_name
       FROM information_schema.statistics WHERE ${here} AND table_name NOT LIKE 'folsom%'
         AND index_name NOT LIKE 'folsom%'`,
    )),
    ...(await rows(
      `SELECT 'reference', table_name, constraint_name, column_name, referenced_table_name, referenced_column_name
       FROM information_schema.key_column_usage WHERE ${here} AND referenced_table_name IS NOT NULL`,
    )),
  ].sort();
}

describe.skipIf(missing)('dbSync on MariaDB', () => {
  it.each(NAMES)('creates %s; two programs at once do not disturb each other', async name => {
    const connection = await server.createDatabase(`new_${name}`);
    await opened(connection, one =>
      opened(connection, async two => {
        await Promise.all([dbSync(one, name), dbSync(two, name)]);
        expect(await dbVersion(one, name)).toBe(HEAD[name]);
        const times: number[] = [];
        for (let i = 0; i < 5; i++) {
          const start = performance.now();
          expect(await dbSync(one, name)).toMatchObject({ unchanged: true });
          times.push(performance.now() - start);
        }
        // The quickest: a busy machine holds any single one up.
        expect(Math.min(...times)).toBeLessThan(500);
        await checkSchema(two, name);
      }),
    );
  });

  it.each(NAMES)('takes over an original %s in place', async name => {
    const connection = await takeOver(name, `old_${name}`);
    const fresh = await server.createDatabase(`compare_${name}`);
    await opened(connection, async db => {
      const tables = (await db.knex.raw('SHOW TABLES'))[0].map(
        (row: object) => Object.values(row)[0] as string,
      );
      const counts = () =>
        Promise.all(
          tables.map(async (item: string) => `${item} ${(await db.knex(item).count({ n: '*' }).first())?.n}`),
        );
      const before = { counts: await counts(), shape: await shape(db) };
      expect(before.counts.some(line => / [1-9]/.test(line))).toBe(true);
      expect(await dbSync(db, name)).toEqual({ from: HEAD[name], to: HEAD[name], unchanged: false });
      expect(await dbSync(db, name)).toMatchObject({ unchanged: true });
      await checkSchema(db, name);
      expect(await counts()).toEqual(before.counts);
      expect(await shape(db)).toEqual(before.shape);
      await opened(fresh, async created => {
        await dbSync(created, name);
        expect(await shape(created)).toEqual(before.shape);
      });
    });
  });
});

describe.skipIf(missing)('transactions on MariaDB', () => {
  let db: Database;
  beforeAll(async () => {
    db = await openDatabase({ connection: await server.createDatabase('work') });
    await dbSync(db, 'nova');
  });
  afterAll(() => db?.close());

  it('are strict, keep UTC and any character, and give serial ids', async () => {
    const moment = Date.UTC(2012, 8, 27, 10, 0, 7);
    const id = await insertReturningId(db.knex, 'instances', {
      uuid: 'u-1',
      display_name: 'snow ☃ and 🐟',
      created_at: toSqlTime(moment),
      deleted: 0,
    });
    const row = (await db.knex('instances').where({ id }).first('display_name', 'created_at', 'deleted'))!;
    expect(row).toEqual({ display_name: 'snow ☃ and 🐟', created_at: '2012-09-27 10:00:07', deleted: 0 });
    expect(fromSqlTime(row.created_at)).toBe(moment);
    expect(await db.knex('instances').insert({ uuid: 'u-1' }).catch(isDuplicate)).toBe(true);
    const long = db
      .knex('instances')
      .where({ id })
      .update({ hostname: 'x'.repeat(300) });
    expect(await long.then(() => false, isUnstorable)).toBe(true);
  });

  it('compare-and-set counts rows that match even when nothing changes', async () => {
    expect(await updateWhere(db.knex, 'instances', { uuid: 'u-1' }, { deleted: 0 })).toBe(1);
    expect(await updateWhere(db.knex, 'instances', { uuid: 'u-1', deleted: 1 }, { deleted: 0 })).toBe(0);
  });

  it('run again after a real deadlock', async () => {
    await db.knex('services').insert(['a', 'b'].map(host => ({ host, report_count: 0, deleted: 0 })));
    let runs = 0;
    const both = new Map<string, () => void>();
    const met = new Map(
      ['a', 'b'].map(host => [host, new Promise<void>(done => both.set(host, done))] as const),
    );
    const cross = (first: string, second: string) =>
      db.transaction(async trx => {
        runs++;
        await trx('services').where({ host: first }).increment('report_count', 1);
        both.get(first)!();
        await met.get(second);
        await trx('services').where({ host: second }).increment('report_count', 1);
      });
    await Promise.all([cross('a', 'b'), cross('b', 'a')]);
    expect(runs).toBeGreaterThan(2);
    expect(await db.knex('services').orderBy('host').pluck('report_count')).toEqual([2, 2]);
  });

  it('wait for a server that is not up yet, but not for one that refuses', async () => {
    const url = server.url('work');
    await server.kill();
    const opening = openDatabase({ connection: url, waitMs: 60_000 });
    await server.start();
    await (await opening).close();
    const wrong = openDatabase({ connection: url.replace(/:[^:@/]+@/, ':wrong@'), waitMs: 60_000 });
    await expect(wrong).rejects.toThrow(/refuses the user or password/);
    await expect(openDatabase({ connection: server.url('nowhere') })).rejects.toThrow(/does not exist/);
  });

  it('find the server again after it was restarted', async () => {
    await server.restart();
    await db.transaction(async trx => {
      expect(await trx('services').count({ n: '*' }).first()).toEqual({ n: 2 });
    });
    await db.ping();
  });
});
