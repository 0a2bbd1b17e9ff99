import { fault } from '../faults.ts';
import { type Named, namedRows } from './named-rows.ts';

export type Tenant = Named;

const tenants = namedRows('tenant', id => fault('TenantNotFound', { tenant_id: id }));

export const findTenant = tenants.find;
export const getTenant = tenants.get;
export const pageOfTenants = tenants.page;
export const isTenantOfUser = tenants.isMember;
export const listTenantsOfUser = tenants.listMembers;
export const createTenant = tenants.create;
export const updateTenant = tenants.update;
export const deleteTenant = tenants.delete;

/** The tenant as a document: its extra fields beside id and name. */
export const tenantView = (tenant: Tenant): Record<string, unknown> => ({
  ...tenant.extra,
  id: tenant.id,
  name: tenant.name,
});
