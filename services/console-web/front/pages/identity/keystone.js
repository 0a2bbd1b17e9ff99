import { cloud, path } from '../../lib/api.js';

const V2 = 'v2.0/';
const admin = 'identity-admin';

/** Keystone's admin API. */
export const keystone = {
  tenants: async options => (await cloud.get(admin, `${V2}tenants`, options)).tenants,
  tenant: async (id, options) => (await cloud.get(admin, V2 + path('tenants', id), options)).tenant,
  users: async options => (await cloud.get(admin, `${V2}users`, options)).users,
  roles: async options => (await cloud.get(admin, `${V2}OS-KSADM/roles`, options)).roles,
  members: async (tenant, options) =>
    (await cloud.get(admin, `${V2}${path('tenants', tenant)}/users`, options)).users,
  rolesOf: async (tenant, user, options) =>
    (await cloud.get(admin, `${V2}${path('tenants', tenant, 'users', user)}/roles`, options)).roles,
  grant: (tenant, user, role) =>
    cloud.put(admin, `${V2}${path('tenants', tenant, 'users', user, 'roles', 'OS-KSADM', role)}`),
  revoke: (tenant, user, role) =>
    cloud.delete(admin, `${V2}${path('tenants', tenant, 'users', user, 'roles', 'OS-KSADM', role)}`),
  createTenant: tenant => cloud.post(admin, `${V2}tenants`, { tenant }),
  updateTenant: (id, tenant) => cloud.post(admin, V2 + path('tenants', id), { tenant }),
  deleteTenant: id => cloud.delete(admin, V2 + path('tenants', id)),
  createUser: user => cloud.post(admin, `${V2}users`, { user }),
  updateUser: (id, user) => cloud.put(admin, V2 + path('users', id), { user: { id, ...user } }),
  setPassword: (id, password) =>
    cloud.put(admin, `${V2}${path('users', id)}/OS-KSADM/password`, { user: { id, password } }),
  setEnabled: (id, enabled) =>
    cloud.put(admin, `${V2}${path('users', id)}/OS-KSADM/enabled`, { user: { id, enabled } }),
  deleteUser: id => cloud.delete(admin, V2 + path('users', id)),
  createRole: name => cloud.post(admin, `${V2}OS-KSADM/roles`, { role: { name } }),
  deleteRole: id => cloud.delete(admin, V2 + path('OS-KSADM', 'roles', id)),
};
