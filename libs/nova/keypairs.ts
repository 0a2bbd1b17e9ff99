import { toSqlTime } from '@folsom/db';
import { novaFault } from './faults.ts';
import { alive, columns, deletion, fromRow, type RowBase, type Sql } from './rows.ts';

/** A row of `key_pairs`; keys belong to users, not tenants. */
export interface KeyPairRow extends RowBase {
  id: number;
  name: string;
  user_id: string;
  /** MD5 of the key in colon-separated hex (rows that a newer `ssh-keygen` made for an original: `SHA256:...`). */
  fingerprint: string;
  public_key: string;
}

const spec = columns();

export async function listKeyPairs(sql: Sql, userId: string): Promise<KeyPairRow[]> {
  const rows = await sql('key_pairs')
    .where({ ...alive, user_id: userId })
    .orderBy('name');
  return rows.map(raw => fromRow<KeyPairRow>(spec, raw));
}

/** @throws Fault `KeypairNotFound` */
export async function keyPairByName(sql: Sql, userId: string, name: string): Promise<KeyPairRow> {
  const raw = await sql('key_pairs')
    .where({ ...alive, user_id: userId, name })
    .first();
  if (!raw) throw novaFault('KeypairNotFound', { name, user_id: userId });
  return fromRow<KeyPairRow>(spec, raw);
}

export const keyPairExists = async (sql: Sql, userId: string, name: string): Promise<boolean> =>
  (await sql('key_pairs')
    .where({ ...alive, user_id: userId, name })
    .first('id')) !== undefined;

export async function countKeyPairs(sql: Sql, userId: string): Promise<number> {
  const row = await sql('key_pairs')
    .where({ ...alive, user_id: userId })
    .count({ count: '*' })
    .first();
  return Number(row?.count ?? 0);
}

export async function createKeyPair(
  sql: Sql,
  key: Pick<KeyPairRow, 'name' | 'user_id' | 'fingerprint' | 'public_key'>,
  now: number,
): Promise<void> {
  await sql('key_pairs').insert({ ...key, deleted: 0, created_at: toSqlTime(now) });
}

/** @throws Fault `KeypairNotFound` */
export async function deleteKeyPair(sql: Sql, userId: string, name: string, now: number): Promise<void> {
  const removed = await sql('key_pairs')
    .where({ ...alive, user_id: userId, name })
    .update(deletion(now));
  if (!removed) throw novaFault('KeypairNotFound', { name, user_id: userId });
}
