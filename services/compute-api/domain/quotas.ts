import type { RequestContext } from '@folsom/core';
import { novaFault } from '@folsom/nova/faults';
import {
  classLimits,
  hasReserved,
  isQuotaResource,
  type Limits,
  limitsOf,
  QUOTA_RESOURCES,
  type QuotaResource,
  setClassLimit,
  setLimit,
  type Usages,
  usagesOf,
} from '@folsom/nova/quotas';
import type { Deps } from './deps.ts';
import { adminOnly } from './policy.ts';

export { isQuotaResource, type Limits, QUOTA_RESOURCES, type QuotaResource };

/** What the caller's tenant may have. */
export const ownLimits = (deps: Deps, context: RequestContext): Promise<Limits> =>
  limitsOf(deps.db.knex, context.projectId ?? '', deps.quotaDefaults);

/** What the caller's tenant has. */
export async function ownUsages(deps: Deps, context: RequestContext): Promise<Usages> {
  const projectId = context.projectId ?? '';
  const usages = await usagesOf(deps.db.knex, projectId);
  // The default group is made without a reservation: Folsom counts it once the tenant has reserved another.
  if (!(await hasReserved(deps.db.knex, projectId, 'security_groups'))) usages.security_groups.in_use = 0;
  return usages;
}

/** What nova.conf gives everybody. */
export const defaultQuotas = (deps: Deps, _context: RequestContext): Limits => deps.quotaDefaults;

/** @throws Fault `NotAuthorized` for another tenant's unless the caller is an administrator */
export async function tenantLimits(deps: Deps, context: RequestContext, tenant: string): Promise<Limits> {
  if (!context.isAdmin && tenant !== context.projectId) throw novaFault('NotAuthorized');
  return limitsOf(deps.db.knex, tenant, deps.quotaDefaults);
}

/** Sets these and leaves the others; all of them or none. */
export async function setTenantLimits(
  deps: Deps,
  _context: RequestContext,
  tenant: string,
  limits: Partial<Limits>,
): Promise<Limits> {
  await deps.db.transaction(async trx => {
    for (const [name, limit] of Object.entries(limits) as [QuotaResource, number][]) {
      await setLimit(trx, tenant, name, limit, deps.clock.now());
    }
  });
  return limitsOf(deps.db.knex, tenant, deps.quotaDefaults);
}

/** @throws Fault `NotAuthorized` for another class than the caller's unless that is an administrator */
export async function quotaClass(deps: Deps, context: RequestContext, name: string): Promise<Limits> {
  if (!context.isAdmin && context.quotaClass !== name) throw novaFault('NotAuthorized');
  return classLimits(deps.db.knex, name, deps.quotaDefaults);
}

/** For administrators whatever the policy says. @throws Fault `AdminRequired` */
export async function setQuotaClass(
  deps: Deps,
  context: RequestContext,
  name: string,
  limits: Partial<Limits>,
): Promise<Limits> {
  adminOnly(context);
  await deps.db.transaction(async trx => {
    for (const [resource, limit] of Object.entries(limits) as [QuotaResource, number][]) {
      await setClassLimit(trx, name, resource, limit, deps.clock.now());
    }
  });
  return classLimits(deps.db.knex, name, deps.quotaDefaults);
}
