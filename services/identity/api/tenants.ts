import Type from 'typebox';
import { isEnabled } from '../enabled.ts';
import { invalid, missing } from '../faults.ts';
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
import { newId } from './dependencies.ts';
import { forAdmins, operation, PUBLIC } from './operation.ts';
import { name, wrapped } from './shapes.ts';

/** Tenants after `marker`, at most `limit` of them. */
const page = Type.Object({
  marker: Type.Optional(Type.String()),
  limit: Type.Optional(
    Type.Decode(Type.String({ pattern: '^\\s*\\+?\\d{1,15}\\s*$', says: 'Invalid limit value' }), text =>
      Number(text),
    ),
  ),
});

const noMarker = () => invalid('Marker could not be found');

/** `enabled` is shown even where nobody ever set it. */
const pageView = (tenants: readonly Tenant[]): Record<string, unknown> => ({
  tenants: tenants.map(tenant => ({ enabled: true, ...tenantView(tenant) })),
  tenants_links: [],
});

const update = operation({
  name: 'update_tenant',
  about: 'Changes a tenant; one that is disabled loses its tokens.',
  method: 'PUT',
  path: '/tenants/:tenant_id',
  ...forAdmins,
  body: wrapped('tenant', {
    name: Type.Optional(name('Tenant name')),
    enabled: Type.Optional(Type.Unknown()),
  }),
  answers: 200,
  throws: ['ValidationError', 'TenantNotFound', 'Conflict'],
  run: async ({ domain: { db, tokens }, params, body: { tenant: changes } }) => {
    const id = params.tenant_id;
    const { after, revoked } = await db.transaction(async trx => {
      const done = await updateTenant(trx, id, changes);
      const closed = !isEnabled(done.after.extra) && 'enabled' in changes;
      return { ...done, revoked: closed ? await tokens.revokeAll(trx, { tenantId: id }) : [] };
    });
    tokens.published(revoked);
    return { tenant: { id: after.id, name: after.name, extra: after.extra } };
  },
});

export const tenantOperations = [
  operation({
    name: 'get_tenants_for_token',
    about: "The caller's own tenants.",
    method: 'GET',
    path: '/tenants',
    ports: PUBLIC,
    policy: null,
    query: page,
    answers: 200,
    throws: ['Unauthorized', 'ValidationError', 'UserNotFound'],
    run: async ({ domain: { db, authorize }, context, query }) => {
      const { user } = await authorize.bearer(context);
      await getUser(db.knex, user.id);
      if (query.marker !== undefined && !(await isTenantOfUser(db.knex, query.marker, user.id)))
        throw noMarker();
      return pageView(await listTenantsOfUser(db.knex, user.id, query));
    },
  }),
  operation({
    name: 'get_all_tenants',
    about: 'All tenants.',
    method: 'GET',
    path: '/tenants',
    ...forAdmins,
    query: page,
    answers: 200,
    throws: ['ValidationError'],
    run: async ({ domain: { db }, query }) => {
      const tenants = await pageOfTenants(db, query);
      if (tenants === null) throw noMarker();
      return pageView(tenants);
    },
  }),
  operation({
    name: 'get_tenant',
    about: 'One tenant.',
    method: 'GET',
    path: '/tenants/:tenant_id',
    ...forAdmins,
    answers: 200,
    throws: ['TenantNotFound'],
    run: async ({ domain: { db }, params }) => ({
      tenant: tenantView(await getTenant(db.knex, params.tenant_id)),
    }),
  }),
  operation({
    name: 'create_tenant',
    about: 'Makes a tenant.',
    method: 'POST',
    path: '/tenants',
    ...forAdmins,
    body: wrapped(
      'tenant',
      {
        id: Type.Optional(
          Type.String({
            minLength: 1,
            maxLength: 64,
            says: () => missing('text of 1 to 64 characters as id', 'tenant'),
          }),
        ),
        name: name('Tenant name', { required: true }),
      },
      { underscored: true, named: true },
    ),
    answers: 200,
    throws: ['Conflict'],
    run: async ({ domain: { db, world }, body: { tenant: given } }) => {
      const tenant: Tenant = {
        id: given.id ?? newId(world),
        name: given.name,
        extra: splitExtra(given, ['name']),
      };
      await createTenant(db.knex, tenant);
      return { tenant: tenantView(tenant) };
    },
  }),
  update,
  { ...update, method: 'POST' as const },
  operation({
    name: 'delete_tenant',
    about: 'Deletes a tenant and ends the tokens for it.',
    method: 'DELETE',
    path: '/tenants/:tenant_id',
    ...forAdmins,
    answers: 204,
    throws: ['TenantNotFound'],
    run: async ({ domain: { db, tokens }, params }) => {
      const id = params.tenant_id;
      const revoked = await db.transaction(async trx => {
        await deleteTenant(trx, id);
        return tokens.revokeAll(trx, { tenantId: id });
      });
      tokens.published(revoked);
      return undefined;
    },
  }),
  operation({
    name: 'get_tenant_users',
    about: 'The members of a tenant.',
    method: 'GET',
    path: '/tenants/:tenant_id/users',
    ...forAdmins,
    answers: 200,
    throws: ['TenantNotFound'],
    run: async ({ domain: { db }, params }) => {
      await getTenant(db.knex, params.tenant_id);
      return { users: (await listUsersOfTenant(db.knex, params.tenant_id)).map(userView) };
    },
  }),
];
