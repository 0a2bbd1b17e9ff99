import type { RequestContext } from '@folsom/core';
import { must } from '@folsom/core';
import { novaFault } from '@folsom/nova/faults';
import { withQuota } from '@folsom/nova/quota-lock';
import { volumeContract } from '@folsom/nova/rpc/volume';
import { countVolumeSnapshots } from '@folsom/nova/volume-snapshots';
import {
  destroyVolume,
  joinVolumes,
  listVolumes,
  lockedVolume,
  resetVolumeStatus,
  tryMoveVolume,
  type Volume,
  type VolumeFilter,
  type VolumeRow,
  volumeById,
} from '@folsom/nova/volumes';
import type { Deps } from './deps.ts';
import { authorize, visibleProject } from './policy.ts';

/** What policy rules compare the caller with. */
export const volumeTarget = (volume: { project_id: string | null; user_id: string | null }) => ({
  project_id: volume.project_id,
  user_id: volume.user_id,
});

/**
 * The one lookup of a volume for every front end: within the caller's tenant, and only what policy lets the caller see.
 *
 * @throws Fault `VolumeNotFound`
 */
export async function getVolume(deps: Deps, context: RequestContext, id: string): Promise<Volume> {
  const row = await visibleVolume(deps, context, id);
  return must((await joinVolumes(deps.db.knex, [row]))[0], 'joinVolumes is not empty');
}

/** The same without what belongs to it. */
export async function visibleVolume(deps: Deps, context: RequestContext, id: string): Promise<VolumeRow> {
  const row = await volumeById(deps.db.knex, id, visibleProject(context));
  authorize(deps, context, 'volume:get', volumeTarget(row));
  return row;
}

export type { Volume };

export interface VolumeQuery extends Pick<VolumeFilter, 'metadata' | 'limit' | 'offset'> {
  /** Every tenant's; only administrators are heard. */
  allTenants?: boolean;
}

/** The tenant's volumes, oldest first. */
export async function pageOfVolumes(
  deps: Deps,
  context: RequestContext,
  { allTenants = false, ...query }: VolumeQuery = {},
): Promise<Volume[]> {
  authorize(deps, context, 'volume:get_all');
  const whose = allTenants && context.isAdmin ? {} : { projectId: context.projectId ?? '' };
  return joinVolumes(deps.db.knex, await listVolumes(deps.db.knex, { ...query, ...whose }));
}

/**
 * Deletes a volume that nobody has and that has no snapshots. One that no host was found for goes at once; the others
 * when their host has wiped them. `force`: whatever its status says.
 *
 * @throws Fault `InvalidVolume`, `VolumeAttached`
 */
export async function deleteVolume(
  deps: Deps,
  context: RequestContext,
  id: string,
  { force = false }: { force?: boolean } = {},
): Promise<void> {
  const row = await visibleVolume(deps, context, id);
  authorize(deps, context, 'volume:delete', volumeTarget(row));
  if (row.host === null && (await dropVolume(deps, row))) return;
  await deps.outbox.transaction(async (trx, send) => {
    const volume = await lockedVolume(trx, id);
    const now = deps.clock.now();
    const moved = await tryMoveVolume(trx, id, force ? 'forceDelete' : 'delete', now, { terminated_at: now });
    if (!moved) {
      if (force) throw novaFault('VolumeAttached', { volume_id: id });
      throw novaFault('InvalidVolume', { reason: 'Volume status must be available or error' });
    }
    const snapshots = await countVolumeSnapshots(trx, id);
    if (snapshots > 0)
      throw novaFault('InvalidVolume', { reason: `Volume still has ${snapshots} dependent snapshots` });
    await volumeContract
      .client(send)
      .delete_volume(context, { volume_id: id }, volume.host === null ? {} : { host: volume.host });
  });
}

/** Takes a volume away that is on no host; false when it got to one meanwhile. */
const dropVolume = (deps: Deps, row: VolumeRow): Promise<boolean> => {
  const now = deps.clock.now();
  const less = { volumes: -1, gigabytes: -row.size };
  return withQuota(deps.db, row.project_id ?? '', deps.quotaDefaults, less, now, async trx =>
    destroyVolume(trx, row.id, now, { host: null }),
  );
};

/** For administrators who know better; who may, the front's policy says. @throws Fault `VolumeNotFound` */
export async function setVolumeStatus(
  deps: Deps,
  context: RequestContext,
  id: string,
  status: string,
): Promise<void> {
  await volumeById(deps.db.knex, id, visibleProject(context));
  await resetVolumeStatus(deps.db.knex, id, status, deps.clock.now());
}
