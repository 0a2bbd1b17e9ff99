import { expect, expectTypeOf, it } from 'vitest';
import { dbSync, openDatabase, type RowOf } from './index.ts';

it('rows have the types that the declarations of their tables say', () => {
  expectTypeOf<RowOf<'instances'>['uuid']>().toEqualTypeOf<string>();
  expectTypeOf<RowOf<'instances'>['host']>().toEqualTypeOf<string | null>();
  expectTypeOf<RowOf<'instances'>['deleted']>().toEqualTypeOf<number | null>();
  expectTypeOf<RowOf<'folsom_outbox'>['lease_until']>().toEqualTypeOf<number>();
});

it('queries know the columns of their table', async () => {
  const db = await openDatabase({ connection: 'sqlite://' });
  await dbSync(db, 'nova');
  await db.knex('services').insert({ host: 'h', report_count: 1, deleted: 0 });
  const row = await db.knex('services').where({ host: 'h' }).first();
  expectTypeOf(row).toEqualTypeOf<RowOf<'services'> | undefined>();
  expect(row).toMatchObject({ host: 'h', report_count: 1, disabled: null, updated_at: null });
  // @ts-expect-error a column that the table does not have
  await expect(db.knex('services').where({ hots: 'h' }).first()).rejects.toThrow('hots');
  // @ts-expect-error a text where the column has a number
  await db.knex('services').update({ report_count: 'many' });
  await db.close();
});
