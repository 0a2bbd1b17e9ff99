import type { Knex } from '@folsom/db';
import { fault } from '../faults.ts';
import { refuseDuplicates } from './duplicates.ts';
import { type Extra, readExtra, splitExtra, writeExtra } from './stored-json.ts';

export interface Tenant {
  id: string;
  name: string;
  extra: Extra;
}

interface Row {
  id: string;
  name: string;
  extra: string | null;
}

const COLUMNS = ['tenant.id', 'tenant.name', 'tenant.extra'] as const;
const fromRow = (row: Row): Tenant => ({ id: row.id, name: row.name, extra: readExtra(row.extra) });

/** The tenant as a document: its extra fields beside id and name. */
export const tenantView = (tenant: Tenant): Record<string, unknown> => ({
  ...tenant.extra,
  id: tenant.id,
  name: tenant.name,
});

export async function findTenant(knex: Knex, id: string): Promise<Tenant | null> {
  const row = await knex<Row>('tenant').where({ id }).first();
  return row ? fromRow(row) : null;
}

export async function getTenant(knex: Knex, id: string): Promise<Tenant> {
  const tenant = await findTenant(knex, id);
  if (!tenant) throw fault('TenantNotFound', { tenant_id: id });
  return tenant;
}

export async function listTenants(knex: Knex): Promise<Tenant[]> {
  return (await knex<Row>('tenant').select()).map(fromRow);
}

/** Tenants the user is a member of, in the order of their ids. */
export async function listTenantsOfUser(knex: Knex, userId: string): Promise<Tenant[]> {
  const rows: Row[] = await knex('user_tenant_membership')
    .join('tenant', 'tenant.id', 'user_tenant_membership.tenant_id')
    .where('user_tenant_membership.user_id', userId)
    .orderBy('user_tenant_membership.tenant_id')
    .select(...COLUMNS);
  return rows.map(fromRow);
}

export async function createTenant(knex: Knex, tenant: Tenant): Promise<void> {
  await refuseDuplicates('tenant', () =>
    knex('tenant').insert({ id: tenant.id, name: tenant.name, extra: writeExtra(tenant.extra) }),
  );
}

/** Lays the changes over what is stored. The id never changes. */
export async function updateTenant(
  trx: Knex,
  id: string,
  changes: Readonly<Record<string, unknown>>,
): Promise<{ before: Tenant; after: Tenant }> {
  const row = await trx<Row>('tenant').where({ id }).forUpdate().first();
  if (!row) throw fault('TenantNotFound', { tenant_id: id });
  const before = fromRow(row);
  const after: Tenant = {
    id,
    name: 'name' in changes ? String(changes.name) : before.name,
    extra: { ...before.extra, ...splitExtra(changes, ['name']) },
  };
  await refuseDuplicates('tenant', () =>
    trx('tenant')
      .where({ id })
      .update({ name: after.name, extra: writeExtra(after.extra) }),
  );
  return { before, after };
}

/** With its memberships, grants and EC2 credentials. */
export async function deleteTenant(trx: Knex, id: string): Promise<void> {
  await trx('user_tenant_membership').where({ tenant_id: id }).delete();
  await trx('metadata').where({ tenant_id: id }).delete();
  await trx('ec2_credential').where({ tenant_id: id }).delete();
  if (!(await trx('tenant').where({ id }).delete())) throw fault('TenantNotFound', { tenant_id: id });
}
