import { fault, invalid, missing } from '../faults.ts';
import { forgetRole, grantRole, listGrantsOfUser, revokeRole } from '../repositories/grants.ts';
import { createRole, deleteRole, getRole, listRoles, type Role } from '../repositories/roles.ts';
import { getTenant } from '../repositories/tenants.ts';
import { getUser } from '../repositories/users.ts';
import { type Dependencies, newId } from './dependencies.ts';
import { cleanName, normalizeFields, requireName } from './names.ts';
import { ADMIN, type Asked, type Operation, objectOf } from './operation.ts';

/** Roles, and giving and taking them. */
export function roleOperations(deps: Dependencies): Operation[] {
  const { db, tokens, world, roles } = deps;
  const admin = { ports: ADMIN, access: 'admin' } as const;

  // Whatever changes in what a user may do in a tenant ends the tokens that say otherwise.
  const give = async (userId: string, tenantId: string, roleId: string): Promise<{ role: Role }> => {
    const { role, revoked } = await db.transaction(async trx => {
      await getTenant(trx, tenantId);
      await getUser(trx, userId);
      const found = await getRole(trx, roleId);
      await grantRole(trx, userId, tenantId, roleId);
      return { role: found, revoked: await tokens.revokeAll(trx, { userId, tenantId }) };
    });
    tokens.published(revoked);
    return { role };
  };

  const take = async (userId: string, tenantId: string, roleId: string): Promise<undefined> => {
    const revoked = await db.transaction(async trx => {
      await revokeRole(trx, userId, tenantId, roleId);
      return tokens.revokeAll(trx, { userId, tenantId });
    });
    tokens.published(revoked);
    return undefined;
  };

  const withoutTenant = () => {
    throw fault('NotImplemented', {}, { message: 'User roles not supported: tenant_id required' });
  };
  const grantPath = '/tenants/:tenant_id/users/:user_id/roles/OS-KSADM/:role_id';
  const globalPath = '/users/:user_id/roles/OS-KSADM/:role_id';

  return [
    {
      name: 'get_roles',
      method: 'GET',
      path: '/OS-KSADM/roles',
      ...admin,
      handle: async () => ({ roles: await listRoles(db.knex) }),
    },
    {
      name: 'get_role',
      method: 'GET',
      path: '/OS-KSADM/roles/:role_id',
      ...admin,
      handle: async asked => ({ role: await getRole(db.knex, asked.params.role_id!) }),
    },
    {
      name: 'create_role',
      method: 'POST',
      path: '/OS-KSADM/roles',
      ...admin,
      body: { role: 'object' },
      handle: async asked => {
        const given = normalizeFields(objectOf(asked, 'role'));
        requireName(given);
        const unknown = Object.keys(given).find(field => field !== 'name' && field !== 'id');
        if (unknown !== undefined) throw invalid(`Unexpected attribute in role: ${unknown.slice(0, 64)}`);
        const role = { id: newId(world), name: cleanName('Role name', given.name) };
        await createRole(db.knex, role);
        roles.invalidate();
        return { role };
      },
    },
    {
      name: 'delete_role',
      method: 'DELETE',
      path: '/OS-KSADM/roles/:role_id',
      ...admin,
      handle: async asked => {
        const id = asked.params.role_id!;
        const revoked = await db.transaction(async trx => {
          const role = await getRole(trx, id);
          await deleteRole(trx, id);
          await forgetRole(trx, id);
          return tokens.revokeAll(trx, { role });
        });
        roles.invalidate();
        tokens.published(revoked);
        return undefined;
      },
    },
    {
      name: 'add_role_to_user',
      method: 'PUT',
      path: grantPath,
      ...admin,
      handle: ({ params }) => give(params.user_id!, params.tenant_id!, params.role_id!),
    },
    {
      name: 'remove_role_from_user',
      method: 'DELETE',
      path: grantPath,
      ...admin,
      handle: ({ params }) => take(params.user_id!, params.tenant_id!, params.role_id!),
    },
    {
      name: 'add_role_to_user_without_tenant',
      method: 'PUT',
      path: globalPath,
      ...admin,
      handle: withoutTenant,
    },
    {
      name: 'remove_role_from_user_without_tenant',
      method: 'DELETE',
      path: globalPath,
      ...admin,
      handle: withoutTenant,
    },
    {
      name: 'get_role_refs',
      method: 'GET',
      path: '/users/:user_id/roleRefs',
      ...admin,
      handle: async asked => {
        const userId = asked.params.user_id!;
        await getUser(db.knex, userId);
        const grants = await listGrantsOfUser(db.knex, userId);
        return {
          roles: grants.flatMap(({ tenantId, roleIds }) =>
            roleIds.map(roleId => ({
              id: new URLSearchParams({ roleId, userId, tenantId }).toString(),
              roleId,
              userId,
              tenantId,
            })),
          ),
        };
      },
    },
    {
      name: 'create_role_ref',
      method: 'POST',
      path: '/users/:user_id/roleRefs',
      ...admin,
      body: { role: 'object' },
      handle: (asked: Asked) => {
        const { tenantId, roleId } = objectOf(asked, 'role');
        return give(asked.params.user_id!, idOr(tenantId, 'tenantId'), idOr(roleId, 'roleId'));
      },
    },
    {
      name: 'delete_role_ref',
      method: 'DELETE',
      path: '/users/:user_id/roleRefs/:role_ref_id',
      ...admin,
      handle: (asked: Asked) => {
        const parts = new URLSearchParams(asked.params.role_ref_id!);
        const tenantId = parts.get('tenantId');
        const roleId = parts.get('roleId');
        if (!tenantId || !roleId) throw missing('tenantId and roleId', 'role reference');
        return take(asked.params.user_id!, tenantId, roleId);
      },
    },
  ];
}

const idOr = (value: unknown, field: string): string => {
  if (value === undefined || value === null) return 'None';
  if (typeof value !== 'string') throw missing(`text as ${field}`, 'role');
  return value;
};
