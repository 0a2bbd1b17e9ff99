import type { RequestContext } from '@folsom/core';
import { withLock } from '@folsom/nova/quota-lock';
import {
  deleteVolumeTypeSpec,
  destroyVolumeType,
  insertVolumeType,
  listVolumeTypes,
  setVolumeTypeSpecs,
  type VolumeType,
  volumeTypeById,
} from '@folsom/nova/volume-types';
import type { Deps } from './deps.ts';
import { adminOnly } from './policy.ts';
import { rowId } from './values.ts';

export type { VolumeType };

/** Types are everybody's to see, by name. */
export const allVolumeTypes = (deps: Deps, _context: RequestContext): Promise<VolumeType[]> =>
  listVolumeTypes(deps.db.knex);

/** @throws Fault `VolumeTypeNotFound` */
export const getVolumeType = (deps: Deps, _context: RequestContext, id: string): Promise<VolumeType> =>
  volumeTypeById(deps.db.knex, rowId(id), id);

/** @throws Fault `VolumeTypeExists`, `AdminRequired` */
export async function addVolumeType(
  deps: Deps,
  context: RequestContext,
  name: string,
  extraSpecs: Readonly<Record<string, string>>,
): Promise<VolumeType> {
  adminOnly(context);
  return withLock(deps.db, 'volume types', trx => insertVolumeType(trx, name, extraSpecs, deps.clock.now()));
}

/** @throws Fault `VolumeTypeNotFound`, `AdminRequired` */
export async function removeVolumeType(deps: Deps, context: RequestContext, id: string): Promise<void> {
  adminOnly(context);
  const type = await getVolumeType(deps, context, id);
  await deps.db.transaction(trx => destroyVolumeType(trx, type.id, deps.clock.now()));
}

/** Sets extra specs and leaves the others. @throws Fault `VolumeTypeNotFound`, `AdminRequired` */
export async function setVolumeTypeExtraSpecs(
  deps: Deps,
  context: RequestContext,
  id: string,
  specs: Readonly<Record<string, string>>,
): Promise<void> {
  adminOnly(context);
  const type = await getVolumeType(deps, context, id);
  await withLock(deps.db, 'volume types', trx => setVolumeTypeSpecs(trx, type.id, specs, deps.clock.now()));
}

/** One that is not there is no mistake. @throws Fault `VolumeTypeNotFound`, `AdminRequired` */
export async function deleteVolumeTypeExtraSpec(
  deps: Deps,
  context: RequestContext,
  id: string,
  key: string,
): Promise<void> {
  adminOnly(context);
  const type = await getVolumeType(deps, context, id);
  await deleteVolumeTypeSpec(deps.db.knex, type.id, key, deps.clock.now());
}
