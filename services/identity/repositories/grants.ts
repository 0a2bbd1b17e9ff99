import type { Knex } from '@folsom/db';
import { fault } from '../faults.ts';
import { readExtra, writeExtra } from './stored-json.ts';

/**
 * What a user may do in a tenant: membership (a row of user_tenant_membership) and role ids (a list inside the JSON of a
 * metadata row). The first role makes the user a member, removing the last one ends membership.
 */

interface MetadataRow {
  user_id: string;
  tenant_id: string;
  data: string | null;
}

const rolesIn = (row: Pick<MetadataRow, 'data'> | undefined): string[] => {
  const roles = readExtra(row?.data).roles;
  return Array.isArray(roles) ? roles.filter((role): role is string => typeof role === 'string') : [];
};

export interface Grant {
  member: boolean;
  /** The stored JSON, as it goes into tokens; empty when there is none. */
  metadata: Record<string, unknown>;
  roleIds: string[];
}

/** From a membership's being there and the text of the metadata row. */
export const grantFrom = (member: boolean, data: string | null): Grant => ({
  member,
  metadata: readExtra(data),
  roleIds: rolesIn({ data }),
});

export async function findGrant(knex: Knex, userId: string, tenantId: string): Promise<Grant> {
  const at = { user_id: userId, tenant_id: tenantId };
  const [member, row] = await Promise.all([
    knex('user_tenant_membership').where(at).first('user_id'),
    knex<MetadataRow>('metadata').where(at).first('data'),
  ]);
  return grantFrom(member !== undefined, row?.data ?? null);
}

/** Role ids of a user by tenant, only tenants the user is a member of. */
export async function listGrantsOfUser(
  knex: Knex,
  userId: string,
): Promise<{ tenantId: string; roleIds: string[] }[]> {
  const rows: { tenant_id: string; data: string | null }[] = await knex('user_tenant_membership as m')
    .leftJoin('metadata as d', join => join.on('d.user_id', 'm.user_id').andOn('d.tenant_id', 'm.tenant_id'))
    .where('m.user_id', userId)
    .orderBy('m.tenant_id')
    .select('m.tenant_id', 'd.data');
  return rows.map(row => ({ tenantId: row.tenant_id, roleIds: rolesIn(row) }));
}

export async function addMember(trx: Knex, userId: string, tenantId: string): Promise<void> {
  const at = { user_id: userId, tenant_id: tenantId };
  if (await trx('user_tenant_membership').where(at).first('user_id')) return;
  await trx('user_tenant_membership').insert(at);
}

/** Grants the role and makes the user a member. A role the user has already is a 409. */
export async function grantRole(trx: Knex, userId: string, tenantId: string, roleId: string): Promise<void> {
  const at = { user_id: userId, tenant_id: tenantId };
  const row = await trx<MetadataRow>('metadata').where(at).forUpdate().first('data');
  const roles = rolesIn(row);
  if (roles.includes(roleId)) {
    throw fault('Conflict', {
      type: 'role grant',
      details: `User ${userId} already has role ${roleId} in tenant ${tenantId}`,
    });
  }
  await addMember(trx, userId, tenantId);
  await storeRoles(trx, at, row, [...roles, roleId]);
}

/** Takes the role away; the user leaves the tenant with the last one. A role the user lacks is a 404. */
export async function revokeRole(trx: Knex, userId: string, tenantId: string, roleId: string): Promise<void> {
  const at = { user_id: userId, tenant_id: tenantId };
  const row = await trx<MetadataRow>('metadata').where(at).forUpdate().first('data');
  const roles = rolesIn(row);
  if (!roles.includes(roleId)) {
    throw fault(
      'RoleNotFound',
      { role_id: roleId },
      { message: `Cannot remove role that has not been granted, ${roleId}` },
    );
  }
  const left = roles.filter(role => role !== roleId);
  await storeRoles(trx, at, row, left);
  if (left.length === 0) await trx('user_tenant_membership').where(at).delete();
}

async function storeRoles(
  trx: Knex,
  at: { user_id: string; tenant_id: string },
  row: Pick<MetadataRow, 'data'> | undefined,
  roles: string[],
): Promise<void> {
  const data = writeExtra({ ...readExtra(row?.data), roles });
  if (row) await trx('metadata').where(at).update({ data });
  else await trx('metadata').insert({ ...at, data });
}

/** Takes a role that is being deleted out of every grant. Rare, and the ids stand inside JSON: one pass over the matches. */
export async function forgetRole(trx: Knex, roleId: string): Promise<void> {
  const rows: MetadataRow[] = await trx<MetadataRow>('metadata')
    .where('data', 'like', `%${roleId.replace(/[%_\\]/g, '')}%`)
    .select();
  for (const row of rows) {
    const roles = rolesIn(row);
    if (!roles.includes(roleId)) continue;
    await storeRoles(
      trx,
      { user_id: row.user_id, tenant_id: row.tenant_id },
      row,
      roles.filter(role => role !== roleId),
    );
  }
}
