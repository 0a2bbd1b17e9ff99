import { isFault, type RequestContext } from '@folsom/core';
import {
  addFlavorTenant,
  createFlavor,
  deleteExtraSpec,
  deleteFlavor,
  extraSpecs,
  type FlavorFilter,
  type FlavorRow,
  flavorByFlavorId,
  flavorTenants,
  listFlavors,
  type NewFlavor,
  removeFlavorTenant,
  setExtraSpecs,
} from '@folsom/nova/flavors';
import type { Deps } from './deps.ts';
import { computeFault } from './faults.ts';
import { authorize } from './policy.ts';

export interface FlavorQuery {
  /** Which of them administrators want: public, private, or all; users see what is public and what was given to them. */
  access?: 'public' | 'private' | 'all';
  /** Megabytes. */
  minRam?: number;
  /** Gigabytes. */
  minDisk?: number;
  /** The id that the page begins after. */
  marker?: string;
  limit: number;
}

/** A page of the flavors that the caller may use, by id. @throws Fault `ListMarkerNotFound` */
export async function pageOfFlavors(
  deps: Deps,
  context: RequestContext,
  { access, minRam, minDisk, marker, limit }: FlavorQuery,
): Promise<FlavorRow[]> {
  const flavors = await listFlavors(deps.db.knex, {
    ...visibility(context, access),
    ...(minRam === undefined ? {} : { minRam }),
    ...(minDisk === undefined ? {} : { minDisk }),
  });
  flavors.sort((a, b) => (a.flavorid < b.flavorid ? -1 : 1));
  const start = marker === undefined ? 0 : flavors.findIndex(flavor => flavor.flavorid === marker) + 1;
  if (marker !== undefined && start === 0) throw computeFault('ListMarkerNotFound', { marker });
  return flavors.slice(start, start + limit);
}

function visibility({ isAdmin, projectId }: RequestContext, access: FlavorQuery['access']): FlavorFilter {
  const given = projectId === null ? {} : { projectId };
  if (!isAdmin) return { isPublic: true, disabled: false, ...given };
  if (access === 'all') return {};
  return access === 'private' ? { isPublic: false } : { isPublic: true, ...given };
}

/** By its public id, as far as it exists for the caller. @throws Fault `FlavorNotFound` */
export const getFlavor = (
  deps: Deps,
  context: RequestContext,
  flavorid: string,
  options: { deleted?: boolean } = {},
): Promise<FlavorRow> => flavorByFlavorId(deps.db.knex, flavorid, context, options);

/** @throws Fault `InstanceTypeExists` */
export const addFlavor = (
  deps: Deps,
  _context: RequestContext,
  flavor: Omit<NewFlavor, 'flavorid'> & { flavorid: string | undefined },
): Promise<FlavorRow> =>
  createFlavor(
    deps.db.knex,
    { ...flavor, flavorid: flavor.flavorid ?? deps.random.uuid() },
    deps.clock.now(),
  );

/** @throws Fault `FlavorNotFound` */
export async function removeFlavor(deps: Deps, context: RequestContext, flavorid: string): Promise<void> {
  const flavor = await getFlavor(deps, context, flavorid);
  await deleteFlavor(deps.db.knex, flavor.name, deps.clock.now());
}

/** Who has access to a flavor, public ones included. */
export interface FlavorAccess {
  flavor: FlavorRow;
  tenants: string[];
}

/** @throws Fault `FlavorNotFound` */
export async function flavorAccess(
  deps: Deps,
  context: RequestContext,
  flavorid: string,
): Promise<FlavorAccess> {
  const flavor = await getFlavor(deps, context, flavorid);
  return { flavor, tenants: await flavorTenants(deps.db.knex, flavor.id) };
}

/** @throws Fault `FlavorNotFound`, `FlavorAccessExists` */
export async function giveFlavor(
  deps: Deps,
  context: RequestContext,
  flavorid: string,
  tenant: string,
): Promise<FlavorAccess> {
  const flavor = await getFlavor(deps, context, flavorid);
  await addFlavorTenant(deps.db.knex, flavor, tenant, deps.clock.now());
  return { flavor, tenants: await flavorTenants(deps.db.knex, flavor.id) };
}

/** Access that was not there is gone all the same. @throws Fault `FlavorNotFound` */
export async function takeFlavor(
  deps: Deps,
  context: RequestContext,
  flavorid: string,
  tenant: string,
): Promise<FlavorAccess> {
  const flavor = await getFlavor(deps, context, flavorid);
  try {
    await removeFlavorTenant(deps.db.knex, flavor, tenant, deps.clock.now());
  } catch (error) {
    if (!isFault(error, 'FlavorAccessNotFound')) throw error;
  }
  return { flavor, tenants: await flavorTenants(deps.db.knex, flavor.id) };
}

/** @throws Fault `FlavorNotFound` */
export async function flavorSpecs(
  deps: Deps,
  context: RequestContext,
  flavorid: string,
): Promise<Record<string, string>> {
  return extraSpecs(deps.db.knex, (await getFlavor(deps, context, flavorid)).id);
}

/** Folsom's policy let everybody change every flavor's specs, and with them where anybody's guests may run. */
const mayManage = (deps: Deps, context: RequestContext): void =>
  authorize(deps, context, 'compute_extension:flavormanage');

/** Sets these and leaves the others. @throws Fault `FlavorNotFound`, `PolicyNotAuthorized` */
export async function setFlavorSpecs(
  deps: Deps,
  context: RequestContext,
  flavorid: string,
  specs: Record<string, string>,
): Promise<void> {
  mayManage(deps, context);
  const flavor = await getFlavor(deps, context, flavorid);
  await setExtraSpecs(deps.db.knex, flavor.id, specs, deps.clock.now());
}

/** @throws Fault `FlavorNotFound` */
export async function deleteFlavorSpec(
  deps: Deps,
  context: RequestContext,
  flavorid: string,
  key: string,
): Promise<void> {
  mayManage(deps, context);
  const flavor = await getFlavor(deps, context, flavorid);
  await deleteExtraSpec(deps.db.knex, flavor.id, key, deps.clock.now());
}
