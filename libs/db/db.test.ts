import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { processorMs } from '@folsom/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  checkSchema,
  type Database,
  DatabaseError,
  dbSync,
  dbVersion,
  fromSqlBool,
  fromSqlTime,
  insertRows,
  openDatabase,
  parseConnectionString,
  type SchemaName,
  toSqlTime,
} from './index.ts';

const NAMES: SchemaName[] = ['keystone', 'glance', 'nova'];
let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'db-test-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe('connection strings', () => {
  it('are those of Folsom', () => {
    expect(parseConnectionString('sqlite://')).toEqual({ kind: 'sqlite', file: null });
    expect(parseConnectionString('sqlite:////var/x.db')).toEqual({ kind: 'sqlite', file: '/var/x.db' });
    expect(parseConnectionString('sqlite:///x.db')).toMatchObject({ file: join(process.cwd(), 'x.db') });
    expect(parseConnectionString('mysql+pymysql://nova:p@s:w%2f@[::1]:3307/nova?charset=utf8')).toEqual({
      kind: 'mysql',
      host: '::1',
      port: 3307,
      user: 'nova',
      password: 'p@s:w/',
      database: 'nova',
      socketPath: undefined,
    });
    expect(parseConnectionString('mysql://nova:nova@172.16.200.6/nova')).toMatchObject({
      host: '172.16.200.6',
      port: 3306,
    });
    expect(parseConnectionString('mysql://root@localhost/x?unix_socket=/run/m.sock')).toMatchObject({
      socketPath: '/run/m.sock',
    });
  });
  it.each(['postgresql://a/b', 'nonsense', 'mysql://u:secretword@h', 'sqlite://x'])('refuse %j', text => {
    expect(() => parseConnectionString(text)).toThrow(DatabaseError);
    expect(() => parseConnectionString(text)).not.toThrow(/secretword/);
  });
});

describe('times and booleans', () => {
  it('go there and back', () => {
    const ms = Date.UTC(2012, 8, 27, 10, 0, 7);
    expect(toSqlTime(ms + 999)).toBe('2012-09-27 10:00:07');
    expect(fromSqlTime('2012-09-27 10:00:07')).toBe(ms);
    expect(fromSqlTime('2012-09-27 10:00:07.250000')).toBe(ms + 250);
    expect(fromSqlTime('2012-09-27T10:00:07')).toBe(ms);
    expect([fromSqlTime(null), fromSqlTime('soon'), fromSqlTime(undefined)]).toEqual([null, null, null]);
    expect([1, true, '1', 0, null, '0', false].map(fromSqlBool)).toEqual([
      true,
      true,
      true,
      false,
      false,
      false,
      false,
    ]);
  });
});

describe('openDatabase', () => {
  it('names what is wrong in one sentence', async () => {
    const damaged = join(dir, 'damaged.db');
    writeFileSync(damaged, 'this is not a database, '.repeat(100));
    await expect(openDatabase({ connection: `sqlite:///${damaged}` })).rejects.toThrow(
      /damaged\.db is damaged or not a database/,
    );
    await expect(openDatabase({ connection: 'sqlite:////proc/none/x.db' })).rejects.toThrow(DatabaseError);
    await expect(openDatabase({ connection: 'mysql://u:swordfish@127.0.0.1:1/x' })).rejects.toThrow(
      /^MySQL x at 127\.0\.0\.1:1 does not answer/,
    );
  });

  it('keeps values out of error messages', async () => {
    const db = await openDatabase({ connection: 'sqlite://' });
    try {
      await dbSync(db, 'keystone');
      const add = () => db.knex('user').insert({ id: 'u1', name: 'n', extra: 'swordfish' });
      await add();
      const error = await add().then(
        () => null,
        (found: Error) => found,
      );
      expect(error?.message).toMatch(/UNIQUE|PRIMARY/i);
      expect(`${error?.message} ${error?.stack}`).not.toContain('swordfish');
    } finally {
      await db.close();
    }
  });

  it('keeps SQLite files private, in WAL, with foreign keys', async () => {
    const file = join(dir, 'deep', 'private.db');
    const db = await openDatabase({ connection: `sqlite:///${file}` });
    try {
      expect(statSync(file).mode & 0o777).toBe(0o600);
      expect(await db.knex.raw('PRAGMA journal_mode')).toEqual([{ journal_mode: 'wal' }]);
      expect(await db.knex.raw('PRAGMA foreign_keys')).toEqual([{ foreign_keys: 1 }]);
      expect(await db.knex.raw('PRAGMA synchronous')).toEqual([{ synchronous: 1 }]);
    } finally {
      await db.close();
    }
  });

  it('lets two processes write to one SQLite file without an error', async () => {
    const connection = `sqlite:///${join(dir, 'shared.db')}`;
    const first = await openDatabase({ connection });
    const second = await openDatabase({ connection });
    try {
      await first.knex.raw('CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER)');
      await first.knex('counters').insert({ name: 'a', value: 0 });
      const bump = (db: Database) =>
        db.transaction(async trx => {
          const row = await trx('counters').where({ name: 'a' }).first('value');
          await trx('counters')
            .where({ name: 'a' })
            .update({ value: row.value + 1 });
        });
      await Promise.all([...Array(40).keys()].map(at => bump(at % 2 ? first : second)));
      expect(await second.knex('counters').first('value')).toEqual({ value: 40 });
    } finally {
      await first.close();
      await second.close();
    }
  });
});

it('has another stamp after a commit of any connection, and the same after anything else', async () => {
  const connection = `sqlite:///${join(dir, 'stamped.db')}`;
  const db = await openDatabase({ connection });
  const other = await openDatabase({ connection });
  try {
    await db.knex.raw('CREATE TABLE notes (n INTEGER)');
    const stamps = [await db.stamp()];
    for (const writer of [db, other, db]) {
      await writer.knex('notes').insert({ n: 1 });
      stamps.push(await db.stamp());
    }
    expect(stamps).not.toContain(null);
    expect(new Set(stamps).size).toBe(4);
    const undone = other.transaction(async trx => {
      await trx('notes').insert({ n: 2 });
      throw new Error('undone');
    });
    await expect(undone).rejects.toThrow('undone');
    expect(await db.knex('notes')).toHaveLength(3);
    expect(await db.stamp()).toBe(stamps.at(-1));
  } finally {
    await db.close();
    await other.close();
  }
});

it('a transaction within another is part of it', async () => {
  const db = await openDatabase({ connection: `sqlite:///${join(dir, 'nested.db')}` });
  try {
    await db.knex.raw('CREATE TABLE notes (n INTEGER)');
    await db.transaction(async trx => {
      await trx('notes').insert({ n: 1 });
      await trx.transaction(async inner => void (await inner('notes').insert({ n: 2 })));
      const refused = trx.transaction(async inner => {
        await inner('notes').insert({ n: 3 });
        throw new Error('no');
      });
      await expect(refused).rejects.toThrow('no');
      expect(await db.knex('notes').pluck('n')).toEqual([]);
    });
    expect(await db.knex('notes').pluck('n')).toEqual([1, 2]);
  } finally {
    await db.close();
  }
});

it('reads while a writer waits for another, in this process or outside of it', async () => {
  const connection = `sqlite:///${join(dir, 'reading.db')}`;
  const db = await openDatabase({ connection });
  const other = await openDatabase({ connection });
  const read = () => db.knex('notes').orderBy('n').pluck('n');
  try {
    await db.knex.raw('CREATE TABLE notes (n INTEGER)');
    await db.knex('notes').insert({ n: 1 });
    const held = Promise.withResolvers<void>();
    const holding = Promise.withResolvers<void>();
    const holder = other.transaction(async trx => {
      await trx('notes').insert({ n: 2 });
      holding.resolve();
      await held.promise;
    });
    await holding.promise;
    const done: string[] = [];
    const writers = [
      db.transaction(async trx => void (await trx('notes').insert({ n: 3 }))).then(() => done.push('in one')),
      db
        .knex('notes')
        .insert({ n: 4 })
        .then(() => done.push('alone')),
    ];
    for (let i = 0; i < 5; i++) expect(await read()).toEqual([1]);
    expect(done).toEqual([]);
    held.resolve();
    await Promise.all([holder, ...writers]);
    expect(await read()).toEqual([1, 2, 3, 4]);
    // What is written is read back, and a transaction sees itself alone.
    await db.transaction(async trx => {
      await trx('notes').where({ n: 1 }).delete();
      expect(await trx('notes').pluck('n')).toEqual([2, 3, 4]);
      expect(await read()).toEqual([1, 2, 3, 4]);
    });
    expect(await read()).toEqual([2, 3, 4]);
  } finally {
    await db.close();
    await other.close();
  }
});

it('runs a transaction within a transaction, and undoes it alone', async () => {
  const db = await openDatabase({ connection: `sqlite:///${join(dir, 'inmost.db')}` });
  await db.knex.schema.createTable('notes', table => void table.integer('n'));
  await db.transaction(async trx => {
    await trx.batchInsert('notes', [{ n: 1 }, { n: 2 }], 1);
    const inner = trx.transaction(async inmost => {
      await inmost('notes').insert({ n: 3 });
      throw new Error('not this');
    });
    await expect(inner).rejects.toThrow('not this');
  });
  expect(await db.knex('notes').orderBy('n').pluck('n')).toEqual([1, 2]);
  await db.close();
});

describe('dbSync on SQLite', () => {
  it.each(NAMES)('creates %s once, and every later call changes nothing', async name => {
    const db = await openDatabase({ connection: 'sqlite://' });
    try {
      expect(await dbVersion(db, name)).toBeNull();
      await expect(checkSchema(db, name)).rejects.toThrow(/holds no \w+ tables yet: run "/);
      expect(await dbSync(db, name)).toMatchObject({ from: null, unchanged: false });
      expect(await dbSync(db, name)).toMatchObject({ unchanged: true });
      await checkSchema(db, name);
    } finally {
      await db.close();
    }
  });

  it('makes the five flavors, all indexes, and puts back a lost index', async () => {
    const db = await openDatabase({ connection: 'sqlite://' });
    try {
      await dbSync(db, 'nova');
      const flavors = await db.knex('instance_types').orderBy('id').select('id', 'name', 'flavorid');
      expect(flavors.map(row => `${row.id} ${row.name} ${row.flavorid}`)).toEqual([
        '1 m1.medium 3',
        '2 m1.tiny 1',
        '3 m1.large 4',
        '4 m1.xlarge 5',
        '5 m1.small 2',
      ]);
      await db.knex.raw('DROP INDEX folsom_instances_project_created');
      expect(await dbSync(db, 'nova')).toMatchObject({ from: 133, unchanged: false });
      const plan = await db.knex.raw(
        "EXPLAIN QUERY PLAN SELECT * FROM instances WHERE project_id = 'p' AND deleted = 0 ORDER BY created_at DESC, id DESC LIMIT 10",
      );
      expect(JSON.stringify(plan)).toContain('folsom_instances_project_created');
      expect(JSON.stringify(plan)).not.toContain('TEMP B-TREE');
    } finally {
      await db.close();
    }
  });

  it('refuses newer, much older and unknown versions and leaves them untouched', async () => {
    const db = await openDatabase({ connection: 'sqlite://' });
    try {
      await dbSync(db, 'nova');
      await expect(dbSync(db, 'nova', 134)).rejects.toThrow(/cannot be reached/);
      const set = (version: number) => db.knex('migrate_version').update({ version });
      await set(200);
      await expect(dbSync(db, 'nova')).rejects.toThrow(/schema 200, which is newer than 133/);
      await expect(checkSchema(db, 'nova')).rejects.toThrow(/newer/);
      await set(82);
      await expect(dbSync(db, 'nova')).rejects.toThrow(/older than Folsom's/);
      expect(await dbVersion(db, 'nova')).toBe(82);
    } finally {
      await db.close();
    }
  });

  it('finishes what an interrupted sync began, and brings an early keystone up', async () => {
    const db = await openDatabase({ connection: 'sqlite://' });
    try {
      await dbSync(db, 'keystone');
      await db.knex('migrate_version').delete();
      await db.knex.raw('DROP TABLE ec2_credential');
      expect(await dbSync(db, 'keystone')).toMatchObject({ from: null, to: 4 });
      expect(await db.knex.schema.hasTable('ec2_credential')).toBe(true);
      await db.knex.raw('ALTER TABLE token DROP COLUMN valid').catch(() => {});
      await db.knex('migrate_version').update({ version: 1 });
      expect(await dbSync(db, 'keystone')).toMatchObject({ from: 1, to: 4 });
      expect(await db.knex.schema.hasColumn('token', 'valid')).toBe(true);
    } finally {
      await db.close();
    }
  });

  it('records who holds the tokens that an original keystone issued', async () => {
    const db = await openDatabase({ connection: 'sqlite://' });
    try {
      await dbSync(db, 'keystone');
      await db.knex.raw('DROP TABLE folsom_token_owner');
      const token = (id: string, extra: unknown, more = {}) => ({
        id,
        valid: 1,
        expires: '2999-01-01 00:00:00',
        extra: typeof extra === 'string' ? extra : JSON.stringify(extra),
        ...more,
      });
      const many = Array.from({ length: 900 }, (_none, at) =>
        token(`m${String(at).padStart(4, '0')}`, { user: { id: 'u9' }, tenant: null }),
      );
      await insertRows(db.knex, 'token', [
        ...many,
        token('a', { user: { id: 'u1' }, tenant: { id: 't1' } }),
        token('b', { user: { id: 'u1' } }, { valid: 0 }),
        token('c', { user: { id: 'u1' } }, { expires: '2012-01-01 00:00:00' }),
        token('d', 'not JSON'),
      ]);
      expect(await dbSync(db, 'keystone')).toMatchObject({ unchanged: false });
      const owners = await db.knex('folsom_token_owner').whereNot('user_id', 'u9');
      expect(owners).toEqual([
        { token_id: 'a', user_id: 'u1', tenant_id: 't1', expires: '2999-01-01 00:00:00' },
      ]);
      expect(await db.knex('folsom_token_owner').count({ n: '*' })).toEqual([{ n: 901 }]);
      expect(await dbSync(db, 'keystone')).toMatchObject({ unchanged: true });
    } finally {
      await db.close();
    }
  });

  it('opens and checks existing databases fast enough for a start in seconds', async () => {
    const times: number[] = [];
    for (const name of NAMES) {
      const connection = `sqlite:///${join(dir, `${name}-speed.db`)}`;
      const first = await openDatabase({ connection });
      await dbSync(first, name);
      await first.close();
      times.push(
        await processorMs(async () => {
          const again = await openDatabase({ connection });
          expect(await dbSync(again, name)).toMatchObject({ unchanged: true });
          await again.close();
        }),
      );
    }
    console.log(`open + sync check: ${times.map(ms => `${ms.toFixed(1)} ms`).join(', ')}`);
    // Generous; the aim is 50 ms.
    expect(Math.max(...times)).toBeLessThan(500);
  });
});
