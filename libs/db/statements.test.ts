import { type MariaDb, serverMissing, startMariaDb } from '@folsom/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Database,
  dbSync,
  inBatches,
  insertRows,
  isDuplicate,
  isReferenceViolation,
  openDatabase,
  paginate,
  softDeleteWhere,
  toSqlTime,
  updateWhere,
  whereAll,
} from './index.ts';

const KINDS = serverMissing('mariadb') ? ['SQLite'] : ['SQLite', 'MariaDB'];

describe.each(KINDS)('statements on %s', kind => {
  let db: Database;
  let server: MariaDb | undefined;
  beforeAll(async () => {
    server = kind === 'MariaDB' ? await startMariaDb() : undefined;
    db = await openDatabase({ connection: (await server?.createDatabase('statements')) ?? 'sqlite://' });
    await dbSync(db, 'nova');
    await insertRows(
      db.knex,
      'instances',
      [...Array(1200).keys()].map(at => ({
        uuid: `00000000-0000-4000-8000-${String(at).padStart(12, '0')}`,
        project_id: at % 2 ? 'odd' : 'even',
        host: at % 3 ? null : 'h1',
        vm_state: 'building',
        created_at: at % 10 === 0 ? null : toSqlTime(1_000_000_000_000 + (at % 7) * 1000),
        deleted: 0,
      })),
    );
  });
  afterAll(async () => {
    await db?.close();
    await server?.stop();
  });

  it('compare-and-set tells who was first', async () => {
    const change = () =>
      updateWhere(db.knex, 'instances', { id: 1, vm_state: 'building' }, { vm_state: 'active' });
    expect(await Promise.all([change(), change()])).toEqual([1, 0]);
    expect(await updateWhere(db.knex, 'instances', { id: [2, 3], host: ['h2', null] }, { host: 'h2' })).toBe(
      2,
    );
    expect(await updateWhere(db.knex, 'instances', { id: [2, 3], host: null }, { host: 'h3' })).toBe(0);
  });

  it('soft delete marks once and keeps updated_at', async () => {
    expect(await softDeleteWhere(db.knex, 'instances', { id: 5 }, 1_000_000_000_000)).toBe(1);
    expect(await softDeleteWhere(db.knex, 'instances', { id: 5 }, 2_000_000_000_000)).toBe(0);
    const row = await db.knex('instances').where({ id: 5 }).first('deleted', 'deleted_at', 'updated_at');
    expect(row).toEqual({ deleted: 1, deleted_at: '2001-09-09 01:46:40', updated_at: null });
  });

  it('batches long lists', async () => {
    const ids = [...Array(40_000).keys()];
    const rows = await inBatches(ids, batch => db.knex('instances').whereIn('id', batch).select('id'));
    expect(rows).toHaveLength(1200);
    expect(await whereAll(db.knex('instances'), { host: [] }).select('id')).toEqual([]);
  });

  it.each([
    ['asc', 'asc'],
    ['desc', 'asc'],
    ['desc', 'desc'],
  ] as const)('pages visit every row once (%s, %s)', async (first, second) => {
    const keys = [
      { column: 'created_at', direction: first },
      { column: 'id', direction: second },
    ];
    const all = (await paginate(db.knex('instances'), keys).select('id')).map(row => row.id);
    const seen: number[] = [];
    let marker: unknown[] | undefined;
    for (;;) {
      const page = await paginate(db.knex('instances'), keys, marker, 97).select('id', 'created_at');
      seen.push(...page.map(row => row.id));
      if (page.length < 97) break;
      const last = page.at(-1)!;
      marker = [last.created_at, last.id];
    }
    expect(seen).toEqual(all);
    expect(new Set(seen).size).toBe(1200);
  });

  it('a page begins at its marker, in the index', async () => {
    const keys = [
      { column: 'created_at', direction: 'desc', nullable: false },
      { column: 'id', direction: 'desc', nullable: false },
    ] as const;
    const page = db.knex('instances').where({ project_id: 'odd', deleted: 0 });
    paginate(page, keys, [toSqlTime(1_000_000_003_000), 600], 10);
    const explain = kind === 'SQLite' ? 'EXPLAIN QUERY PLAN' : 'EXPLAIN FORMAT=JSON';
    const plan = JSON.stringify((await db.knex.raw(`${explain} ${String(page)}`)) as unknown);
    expect(plan).toContain('folsom_instances_project_created');
    // MariaDB goes by how many rows there are; these are few.
    if (kind === 'SQLite') expect(plan).toContain('project_id=? AND deleted=? AND created_at<?');
    expect(plan).not.toMatch(/TEMP B-TREE|filesort/);
  });

  it('tells duplicates and broken references apart, and undoes the transaction', async () => {
    const before = await db.knex('instances').count({ total: '*' }).first();
    const twice = db.transaction(async trx => {
      await trx('instances').insert({ uuid: 'u-1' });
      await trx('instances').insert({ uuid: 'u-1' });
    });
    expect(await twice.catch(isDuplicate)).toBe(true);
    const orphan = db.knex('instance_metadata').insert({ instance_uuid: 'nowhere', key: 'a', value: 'b' });
    expect(await orphan.then(() => false, isReferenceViolation)).toBe(true);
    expect(await db.knex('instances').count({ total: '*' }).first()).toEqual(before);
  });

  it('runs a transaction again after a deadlock, and gives up in the end', async () => {
    const deadlock = Object.assign(new Error('Deadlock found'), { errno: 1213 });
    let calls = 0;
    expect(
      await db.transaction(async () => {
        if (++calls < 3) throw deadlock;
        return calls;
      }),
    ).toBe(3);
    await expect(
      db.retry(async () => {
        throw Object.assign(new Error('other'), { errno: 1064 });
      }),
    ).rejects.toThrow('other');
  });
});
