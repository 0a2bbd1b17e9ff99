import type { Knex } from '@folsom/db';
import { fault } from '../faults.ts';
import { refuseDuplicates } from './duplicates.ts';
import { type Extra, readExtra, splitExtra, writeExtra } from './stored-json.ts';

export interface User {
  id: string;
  name: string;
  /** With the hash in `password`. */
  extra: Extra;
}

interface Row {
  id: string;
  name: string;
  extra: string | null;
}

const fromRow = (row: Row): User => ({ id: row.id, name: row.name, extra: readExtra(row.extra) });

/** The user as a document, without the hash. */
export function userView(user: User): Record<string, unknown> {
  const { password: _hash, ...shown } = user.extra;
  return { ...shown, id: user.id, name: user.name };
}

export async function findUser(knex: Knex, id: string): Promise<User | null> {
  const row = await knex<Row>('user').where({ id }).first();
  return row ? fromRow(row) : null;
}

export async function getUser(knex: Knex, id: string): Promise<User> {
  const user = await findUser(knex, id);
  if (!user) throw fault('UserNotFound', { user_id: id });
  return user;
}

export async function listUsers(knex: Knex): Promise<User[]> {
  return (await knex<Row>('user').select()).map(fromRow);
}

export async function listUsersOfTenant(knex: Knex, tenantId: string): Promise<User[]> {
  const rows: Row[] = await knex('user_tenant_membership')
    .join('user', 'user.id', 'user_tenant_membership.user_id')
    .where('user_tenant_membership.tenant_id', tenantId)
    .orderBy('user_tenant_membership.user_id')
    .select('user.id', 'user.name', 'user.extra');
  return rows.map(fromRow);
}

export async function createUser(knex: Knex, user: User): Promise<void> {
  await refuseDuplicates('user', () =>
    knex('user').insert({ id: user.id, name: user.name, extra: writeExtra(user.extra) }),
  );
}

/** Lays the changes over what is stored. The id never changes. */
export async function updateUser(
  trx: Knex,
  id: string,
  changes: Readonly<Record<string, unknown>>,
): Promise<User> {
  const row = await trx<Row>('user').where({ id }).forUpdate().first();
  if (!row) throw fault('UserNotFound', { user_id: id });
  const before = fromRow(row);
  const after: User = {
    id,
    name: 'name' in changes ? String(changes.name) : before.name,
    extra: { ...before.extra, ...splitExtra(changes, ['name']) },
  };
  await refuseDuplicates('user', () =>
    trx('user')
      .where({ id })
      .update({ name: after.name, extra: writeExtra(after.extra) }),
  );
  return after;
}

/** With the user's memberships, grants and EC2 credentials. */
export async function deleteUser(trx: Knex, id: string): Promise<void> {
  await trx('user_tenant_membership').where({ user_id: id }).delete();
  await trx('metadata').where({ user_id: id }).delete();
  await trx('ec2_credential').where({ user_id: id }).delete();
  if (!(await trx('user').where({ id }).delete())) throw fault('UserNotFound', { user_id: id });
}
