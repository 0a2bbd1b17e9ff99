import { isEnabled } from '../enabled.ts';
import { invalid, missing } from '../faults.ts';
import { findGrant } from '../repositories/grants.ts';
import type { Page } from '../repositories/named-rows.ts';
import { rolesByIds } from '../repositories/roles.ts';
import { splitExtra } from '../repositories/stored-json.ts';
import {
  createTenant,
  deleteTenant,
  getTenant,
  isTenantOfUser,
  listTenantsOfUser,
  pageOfTenants,
  type Tenant,
  tenantView,
  updateTenant,
} from '../repositories/tenants.ts';
import { getUser, listUsersOfTenant, userView } from '../repositories/users.ts';
import { type Dependencies, newId } from './dependencies.ts';
import { cleanName, normalizeFields, requireName } from './names.ts';
import { ADMIN, type Asked, type Operation, objectOf, PUBLIC } from './operation.ts';

export function tenantOperations(deps: Dependencies): Operation[] {
  const { db, tokens, world, authorize } = deps;
  const admin = { ports: ADMIN, access: 'admin' } as const;

  const update = async (asked: Asked) => {
    const id = asked.params.tenant_id!;
    const changes = { ...objectOf(asked, 'tenant') };
    if ('name' in changes) changes.name = cleanName('Tenant name', changes.name);
    const { after, revoked } = await db.transaction(async trx => {
      const done = await updateTenant(trx, id, changes);
      const closed = !isEnabled(done.after.extra) && 'enabled' in changes;
      return { ...done, revoked: closed ? await tokens.revokeAll(trx, { tenantId: id }) : [] };
    });
    tokens.published(revoked);
    return { tenant: { id: after.id, name: after.name, extra: after.extra } };
  };

  return [
    {
      name: 'get_tenants_for_token',
      method: 'GET',
      path: '/tenants',
      ports: PUBLIC,
      access: 'anyone',
      handle: async asked => {
        const token = await authorize.bearer(asked);
        await getUser(db.knex, token.user.id);
        const page = pageOf(asked.query);
        if (page.marker !== undefined && !(await isTenantOfUser(db.knex, page.marker, token.user.id)))
          throw noMarker();
        return pageView(await listTenantsOfUser(db.knex, token.user.id, page));
      },
    },
    {
      name: 'get_all_tenants',
      method: 'GET',
      path: '/tenants',
      ...admin,
      handle: async asked => {
        const tenants = await pageOfTenants(db, pageOf(asked.query));
        if (tenants === null) throw noMarker();
        return pageView(tenants);
      },
    },
    {
      name: 'get_tenant',
      method: 'GET',
      path: '/tenants/:tenant_id',
      ...admin,
      handle: async asked => ({ tenant: tenantView(await getTenant(db.knex, asked.params.tenant_id!)) }),
    },
    {
      name: 'create_tenant',
      method: 'POST',
      path: '/tenants',
      ...admin,
      body: { tenant: 'object' },
      precheck: asked => requireName(objectOf(asked, 'tenant')),
      handle: async asked => {
        const given = normalizeFields(objectOf(asked, 'tenant'));
        const { id = newId(world) } = given;
        if (typeof id !== 'string' || id === '' || id.length > 64)
          throw missing('text of 1 to 64 characters as id', 'tenant');
        const tenant: Tenant = {
          id,
          name: cleanName('Tenant name', given.name),
          extra: splitExtra(given, ['name']),
        };
        await createTenant(db.knex, tenant);
        return { tenant: tenantView(tenant) };
      },
    },
    {
      name: 'update_tenant',
      method: 'PUT',
      path: '/tenants/:tenant_id',
      ...admin,
      body: { tenant: 'object' },
      handle: update,
    },
    {
      name: 'update_tenant',
      method: 'POST',
      path: '/tenants/:tenant_id',
      ...admin,
      body: { tenant: 'object' },
      handle: update,
    },
    {
      name: 'delete_tenant',
      method: 'DELETE',
      path: '/tenants/:tenant_id',
      ...admin,
      handle: async asked => {
        const id = asked.params.tenant_id!;
        const revoked = await db.transaction(async trx => {
          await deleteTenant(trx, id);
          return tokens.revokeAll(trx, { tenantId: id });
        });
        tokens.published(revoked);
        return undefined;
      },
    },
    {
      name: 'get_tenant_users',
      method: 'GET',
      path: '/tenants/:tenant_id/users',
      ...admin,
      handle: async asked => {
        const id = asked.params.tenant_id!;
        await getTenant(db.knex, id);
        return { users: (await listUsersOfTenant(db.knex, id)).map(userView) };
      },
    },
    {
      name: 'get_user_roles',
      method: 'GET',
      path: '/tenants/:tenant_id/users/:user_id/roles',
      ...admin,
      handle: async asked => {
        const { tenant_id: tenantId, user_id: userId } = asked.params;
        await getUser(db.knex, userId!);
        await getTenant(db.knex, tenantId!);
        const { roleIds } = await findGrant(db.knex, userId!, tenantId!);
        return { roles: await rolesByIds(deps.roles, roleIds) };
      },
    },
  ];
}

const noMarker = () => invalid('Marker could not be found');

/** Tenants after `marker`, at most `limit` of them. */
function pageOf({ marker, limit }: Asked['query']): Page {
  if (limit === undefined) return { marker };
  const count = Number(limit);
  if (!/^\s*\+?\d+\s*$/.test(limit) || !Number.isSafeInteger(count)) throw invalid('Invalid limit value');
  return { marker, limit: count };
}

/** `enabled` is shown even where nobody ever set it. */
const pageView = (tenants: readonly Tenant[]): Record<string, unknown> => ({
  tenants: tenants.map(tenant => ({ enabled: true, ...tenantView(tenant) })),
  tenants_links: [],
});
