import type { Knex } from '@folsom/db';
import { fault } from '../faults.ts';
import type { Fresh } from '../fresh.ts';
import { refuseDuplicates } from './duplicates.ts';

export interface Role {
  id: string;
  name: string;
}

export async function getRole(knex: Knex, id: string): Promise<Role> {
  const row = await knex<Role>('role').where({ id }).first('id', 'name');
  if (!row) throw fault('RoleNotFound', { role_id: id });
  return row;
}

export async function listRoles(knex: Knex): Promise<Role[]> {
  return knex<Role>('role').select('id', 'name');
}

/** The roles of these ids, in their order; ids of roles that are gone are left out. */
export async function rolesByIds(roles: Fresh<Role[]>, ids: readonly unknown[]): Promise<Role[]> {
  if (ids.length === 0) return [];
  const byId = new Map((await roles.get()).map(role => [role.id, role]));
  return ids.flatMap(id => byId.get(String(id)) ?? []);
}

export async function createRole(knex: Knex, role: Role): Promise<void> {
  await refuseDuplicates('role', () => knex('role').insert(role));
}

export async function deleteRole(trx: Knex, id: string): Promise<void> {
  if (!(await trx('role').where({ id }).delete())) throw fault('RoleNotFound', { role_id: id });
}
