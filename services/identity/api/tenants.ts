import Type from 'typebox';
import { isEnabled } from '../enabled.ts';
import { invalid, missing } from '../faults.ts';
import { splitExtra } from '../repositories/stored-json.ts';
import { type Tenant, tenantView } from '../repositories/tenants.ts';
import { userView } from '../repositories/users.ts';
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

/** `enabled` is shown even where nobody ever set it. Null: there is no such marker. */
function pageView(tenants: readonly Tenant[] | null): Record<string, unknown> {
  if (tenants === null) throw invalid('Marker could not be found');
  return {
    tenants: tenants.map(tenant => ({ enabled: true, ...tenantView(tenant) })),
    tenants_links: [],
  };
}

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
  run: async ({ domain: { identities }, params, body: { tenant: changes } }) => {
    const tenantId = params.tenant_id;
    const ends = isEnabled(changes) ? null : { tenantId };
    const after = await identities.change(ends, made => made.updateTenant(tenantId, changes));
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
    run: async ({ domain: { identities, authorize }, context, query }) => {
      const { user } = await authorize.bearer(context);
      await identities.getUser(user.id);
      return pageView(await identities.pageOfTenantsOf(user.id, query));
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
    run: async ({ domain: { identities }, query }) => pageView(await identities.pageOfTenants(query)),
  }),
  operation({
    name: 'get_tenant',
    about: 'One tenant.',
    method: 'GET',
    path: '/tenants/:tenant_id',
    ...forAdmins,
    answers: 200,
    throws: ['TenantNotFound'],
    run: async ({ domain: { identities }, params }) => ({
      tenant: tenantView(await identities.getTenant(params.tenant_id)),
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
    run: async ({ domain: { identities, world }, body: { tenant: given } }) => {
      const tenant: Tenant = {
        id: given.id ?? newId(world),
        name: given.name,
        extra: splitExtra(given, ['name']),
      };
      return { tenant: tenantView(await identities.change(null, made => made.createTenant(tenant))) };
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
    run: async ({ domain: { identities }, params }) => {
      const tenantId = params.tenant_id;
      await identities.change({ tenantId }, made => made.deleteTenant(tenantId));
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
    run: async ({ domain: { identities }, params }) => {
      await identities.getTenant(params.tenant_id);
      return { users: (await identities.listMembers(params.tenant_id)).map(userView) };
    },
  }),
];
