import type { Knex } from '@folsom/db';
import { fault } from '../faults.ts';
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

export async function createRole(knex: Knex, role: Role): Promise<void> {
  await refuseDuplicates('role', () => knex('role').insert(role));
}

export async function deleteRole(trx: Knex, id: string): Promise<void> {
  if (!(await trx('role').where({ id }).delete())) throw fault('RoleNotFound', { role_id: id });
}
