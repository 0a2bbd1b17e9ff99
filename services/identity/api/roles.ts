import { must } from '@folsom/core';
import Type from 'typebox';
import { fault, missing } from '../faults.ts';
import { type Role, rolesByIds } from '../repositories/roles.ts';
import { type Dependencies, newId } from './dependencies.ts';
import { forAdmins, operation } from './operation.ts';
import { name, wrapped } from './shapes.ts';

// Whatever changes in what a user may do in a tenant ends the tokens that say otherwise.
async function give(
  { identities }: Dependencies,
  { userId, tenantId, roleId }: { userId: string; tenantId: string; roleId: string },
): Promise<{ role: Role }> {
  return identities.change({ userId, tenantId }, async made => {
    await made.getTenant(tenantId);
    await made.getUser(userId);
    const role = await made.getRole(roleId);
    await made.grantRole(userId, tenantId, roleId);
    return { role };
  });
}

async function take(
  { identities }: Dependencies,
  { userId, tenantId, roleId }: { userId: string; tenantId: string; roleId: string },
): Promise<undefined> {
  await identities.change({ userId, tenantId }, made => made.revokeRole(userId, tenantId, roleId));
  return undefined;
}

/** A tenant and a role in a text: `roleId=…&userId=…&tenantId=…`. */
const roleRef = Type.Decode(
  Type.Refine(
    Type.String({ says: () => missing('tenantId and roleId', 'role reference') }),
    text => partsOf(text) !== null,
  ),
  text => must(partsOf(text), 'partsOf gives something'),
);

function partsOf(text: string): { tenantId: string; roleId: string } | null {
  const parts = new URLSearchParams(text);
  const tenantId = parts.get('tenantId');
  const roleId = parts.get('roleId');
  return tenantId && roleId ? { tenantId, roleId } : null;
}

const idField = (field: string) =>
  Type.Optional(
    Type.Union([Type.Null(), Type.String()], { says: () => missing(`text as ${field}`, 'role') }),
  );

const withoutTenant = () => {
  throw fault('NotImplemented', {}, { message: 'User roles not supported: tenant_id required' });
};
const grantPath = '/tenants/:tenant_id/users/:user_id/roles/OS-KSADM/:role_id';
const globalPath = '/users/:user_id/roles/OS-KSADM/:role_id';
const UNIMPLEMENTED = 'Not implemented in the original either: roles are held in a tenant.';

/** Roles. */
const roleRows = [
  operation({
    name: 'get_roles',
    about: 'All roles.',
    method: 'GET',
    path: '/OS-KSADM/roles',
    ...forAdmins,
    answers: 200,
    run: async ({ domain: { identities } }) => ({ roles: await identities.listRoles() }),
  }),
  operation({
    name: 'get_role',
    about: 'One role.',
    method: 'GET',
    path: '/OS-KSADM/roles/:role_id',
    ...forAdmins,
    answers: 200,
    throws: ['RoleNotFound'],
    run: async ({ domain: { identities }, params }) => ({
      role: await identities.getRole(params.role_id),
    }),
  }),
  operation({
    name: 'create_role',
    about: 'Makes a role.',
    method: 'POST',
    path: '/OS-KSADM/roles',
    ...forAdmins,
    body: wrapped(
      'role',
      { name: name('Role name', { required: true }), id: Type.Optional(Type.Unknown()) },
      { underscored: true, additionalProperties: false },
    ),
    answers: 200,
    throws: ['Conflict'],
    run: async ({ domain: { identities, world, roles }, body }) => {
      const role = { id: newId(world), name: body.role.name };
      await identities.change(null, made => made.createRole(role));
      roles.invalidate();
      return { role };
    },
  }),
  operation({
    name: 'delete_role',
    about: 'Deletes a role, takes it from everybody and ends their tokens.',
    method: 'DELETE',
    path: '/OS-KSADM/roles/:role_id',
    ...forAdmins,
    answers: 204,
    throws: ['RoleNotFound'],
    run: async ({ domain: { identities, roles }, params }) => {
      const role = await identities.getRole(params.role_id);
      await identities.change({ role }, made => made.deleteRole(role.id));
      roles.invalidate();
      return undefined;
    },
  }),
];

/** Giving and taking roles. */
const grants = [
  operation({
    name: 'get_user_roles',
    about: "A user's roles in a tenant.",
    method: 'GET',
    path: '/tenants/:tenant_id/users/:user_id/roles',
    ...forAdmins,
    answers: 200,
    throws: ['UserNotFound', 'TenantNotFound'],
    run: async ({ domain: { identities, roles }, params: { user_id: userId, tenant_id: tenantId } }) => {
      await identities.getUser(userId);
      await identities.getTenant(tenantId);
      const { roleIds } = await identities.findGrant(userId, tenantId);
      return { roles: await rolesByIds(roles, roleIds) };
    },
  }),
  operation({
    name: 'add_role_to_user',
    about: 'Gives a user a role in a tenant, and ends the tokens that say otherwise.',
    method: 'PUT',
    path: grantPath,
    ...forAdmins,
    answers: 200,
    throws: ['UserNotFound', 'TenantNotFound', 'RoleNotFound', 'Conflict'],
    run: ({ domain, params }) =>
      give(domain, { userId: params.user_id, tenantId: params.tenant_id, roleId: params.role_id }),
  }),
  operation({
    name: 'remove_role_from_user',
    about: 'Takes a role from a user, and ends the tokens that say otherwise.',
    method: 'DELETE',
    path: grantPath,
    ...forAdmins,
    answers: 204,
    throws: ['RoleNotFound'],
    run: ({ domain, params }) =>
      take(domain, { userId: params.user_id, tenantId: params.tenant_id, roleId: params.role_id }),
  }),
  operation({
    name: 'add_role_to_user_without_tenant',
    about: UNIMPLEMENTED,
    method: 'PUT',
    path: globalPath,
    ...forAdmins,
    answers: 501,
    throws: ['NotImplemented'],
    run: withoutTenant,
  }),
  operation({
    name: 'remove_role_from_user_without_tenant',
    about: UNIMPLEMENTED,
    method: 'DELETE',
    path: globalPath,
    ...forAdmins,
    answers: 501,
    throws: ['NotImplemented'],
    run: withoutTenant,
  }),
];

/** The same by references, as an earlier API had it. */
const references = [
  operation({
    name: 'get_role_refs',
    about: "A user's roles in all tenants.",
    method: 'GET',
    path: '/users/:user_id/roleRefs',
    ...forAdmins,
    answers: 200,
    throws: ['UserNotFound'],
    run: async ({ domain: { identities }, params: { user_id: userId } }) => {
      await identities.getUser(userId);
      const held = await identities.listGrantsOf(userId);
      return {
        roles: held.flatMap(({ tenantId, roleIds }) =>
          roleIds.map(roleId => ({
            id: new URLSearchParams({ roleId, userId, tenantId }).toString(),
            roleId,
            userId,
            tenantId,
          })),
        ),
      };
    },
  }),
  operation({
    name: 'create_role_ref',
    about: 'Gives a user a role in a tenant.',
    method: 'POST',
    path: '/users/:user_id/roleRefs',
    ...forAdmins,
    body: wrapped('role', { tenantId: idField('tenantId'), roleId: idField('roleId') }),
    answers: 200,
    throws: ['UserNotFound', 'TenantNotFound', 'RoleNotFound', 'Conflict'],
    run: ({ domain, params, body: { role } }) =>
      give(domain, {
        userId: params.user_id,
        tenantId: role.tenantId ?? 'None',
        roleId: role.roleId ?? 'None',
      }),
  }),
  operation({
    name: 'delete_role_ref',
    about: 'Takes a role from a user.',
    method: 'DELETE',
    path: '/users/:user_id/roleRefs/:role_ref_id',
    ...forAdmins,
    params: Type.Object({ user_id: Type.String(), role_ref_id: roleRef }),
    answers: 204,
    throws: ['RoleNotFound'],
    run: ({ domain, params }) => take(domain, { userId: params.user_id, ...params.role_ref_id }),
  }),
];

export const roleOperations = [...roleRows, ...grants, ...references];
