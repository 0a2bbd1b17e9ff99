import { type MariaDb, serverMissing, startMariaDb } from '@folsom/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Database, dbSync, isDuplicate, openDatabase, prepared } from './index.ts';

const KINDS = serverMissing('mariadb') ? ['SQLite'] : ['SQLite', 'MariaDB'];

describe.each(KINDS)('prepared statements on %s', kind => {
  let db: Database;
  let server: MariaDb | undefined;
  /** Statements as the database got them. */
  const sent: { sql: string; bindings: readonly unknown[] }[] = [];
  beforeAll(async () => {
    server = kind === 'MariaDB' ? await startMariaDb() : undefined;
    db = await openDatabase({ connection: (await server?.createDatabase('prepared')) ?? 'sqlite://' });
    await dbSync(db, 'nova');
    db.knex.on('query', query => void sent.push(query));
  });
  afterAll(async () => {
    await db?.close();
    await server?.stop();
  });

  let built = 0;
  const insert = prepared((sql, row: Record<string, unknown>) => {
    built++;
    return sql('key_pairs').insert(row);
  });
  const row = (name: string | null, user_id: string | null = 'u') => ({ name, user_id, deleted: 0 });

  it('builds once a shape, and again for another', async () => {
    const ids = [];
    for (const name of ['a', "b'; --", '?', '\\?']) ids.push(...(await insert(db.knex, row(name))));
    expect(built).toBe(1);
    const [last] = await insert(db.knex, row('nobody', null));
    expect(built).toBe(2);
    const rows = await db.knex('key_pairs').orderBy('id').select('id', 'name', 'user_id');
    expect(rows).toEqual([
      { id: ids[0], name: 'a', user_id: 'u' },
      { id: ids[1], name: "b'; --", user_id: 'u' },
      { id: ids[2], name: '?', user_id: 'u' },
      { id: ids[3], name: '\\?', user_id: 'u' },
      { id: last, name: 'nobody', user_id: null },
    ]);
  });

  const named = prepared((sql, names: readonly string[], alive: boolean, user: string | null) => {
    const query = sql('key_pairs')
      .whereIn('name', [...names])
      .orderBy('name');
    if (alive) query.where({ deleted: 0 });
    return query.where({ user_id: user }).select('name') as PromiseLike<{ name: string }[]>;
  });

  it('lists, flags and null are part of the shape; texts and numbers are not', async () => {
    const names = async (...args: [string[], boolean, string | null]) =>
      (await named(db.knex, ...args)).map(({ name }) => name);
    expect(await names(['a', '?'], true, 'u')).toEqual(['?', 'a']);
    expect(await names(['?', 'none'], true, 'u')).toEqual(['?']);
    expect(await names(['a'], false, 'u')).toEqual(['a']);
    expect(await names(['a', 'nobody'], true, null)).toEqual(['nobody']);
    expect(await names([], true, 'u')).toEqual([]);
  });

  it('sends the very statement of the builder', async () => {
    sent.length = 0;
    await named(db.knex, ['x', 'y'], true, 'u');
    await db
      .knex('key_pairs')
      .whereIn('name', ['x', 'y'])
      .orderBy('name')
      .where({ deleted: 0 })
      .where({ user_id: 'u' })
      .select('name');
    const [ours, builders] = sent;
    expect(ours?.sql).toBe(builders?.sql);
    expect(ours?.bindings).toEqual(builders?.bindings);
  });

  const first = prepared((sql, name: string) => sql('key_pairs').where({ name }).first('name', 'user_id'));
  const rename = prepared((sql, from: string, values: Record<string, unknown>) =>
    sql('key_pairs').where({ name: from }).update(values),
  );
  const remove = prepared((sql, name: string) => sql('key_pairs').where({ name }).delete());

  it('gives what the builder gives: a row or undefined, how many were changed', async () => {
    expect(await first(db.knex, 'a')).toEqual({ name: 'a', user_id: 'u' });
    expect(await first(db.knex, 'none')).toBeUndefined();
    expect(await rename(db.knex, 'a', { name: 'c' })).toBe(1);
    expect(await rename(db.knex, 'a', { name: 'd', user_id: null })).toBe(0);
    expect(await remove(db.knex, 'c')).toBe(1);
    expect(await remove(db.knex, 'c')).toBe(0);
  });

  it('is part of the transaction that it is given, and of none that is over', async () => {
    let late: Parameters<typeof insert>[0] | undefined;
    const undone = db.transaction(async trx => {
      late = trx;
      await insert(trx, row('within'));
      expect(await first(trx, 'within')).toBeDefined();
      throw new Error('undo');
    });
    await expect(undone).rejects.toThrow('undo');
    expect(await first(db.knex, 'within')).toBeUndefined();
    await expect(insert(late!, row('late'))).rejects.toThrow(/already complete/);
    expect(await first(db.knex, 'late')).toBeUndefined();
  });

  it('tells a database by its error, and goes on after it', async () => {
    const place = prepared((sql, values: Record<string, unknown>) => sql('folsom_placements').insert(values));
    const placement = { instance_uuid: 'i', attempt: 1, host: 'h', created_at: 1 };
    await place(db.knex, placement);
    await expect(place(db.knex, placement)).rejects.toSatisfy(isDuplicate);
    await place(db.knex, { ...placement, attempt: 2 });
  });
});
