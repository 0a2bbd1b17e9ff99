import type { RequestContext } from '@folsom/core';
import { novaFault } from '@folsom/nova/faults';
import { volumeContract } from '@folsom/nova/rpc/volume';
import {
  insertVolumeSnapshot,
  listVolumeSnapshots,
  resetSnapshotStatus,
  tryMoveSnapshot,
  type VolumeSnapshotFilter,
  type VolumeSnapshotRow,
  volumeSnapshotById,
} from '@folsom/nova/volume-snapshots';
import { type VolumeStatus, volumeStatus } from '@folsom/nova/volume-state';
import { lockedVolume, volumeById } from '@folsom/nova/volumes';
import type { Deps } from './deps.ts';
import { authorize, visibleProject } from './policy.ts';
import { visibleVolume, volumeTarget } from './volumes.ts';

/** The one lookup of a volume's snapshot. @throws Fault `SnapshotNotFound` */
export async function visibleSnapshot(
  deps: Deps,
  context: RequestContext,
  id: string,
): Promise<VolumeSnapshotRow> {
  authorize(deps, context, 'volume:get_snapshot');
  return volumeSnapshotById(deps.db.knex, id, visibleProject(context));
}

export type { VolumeSnapshotRow };

export interface VolumeSnapshotQuery extends Pick<VolumeSnapshotFilter, 'limit' | 'offset'> {
  /** Every tenant's; only administrators are heard. */
  allTenants?: boolean;
}

/** The tenant's snapshots, oldest first. */
export async function pageOfSnapshots(
  deps: Deps,
  context: RequestContext,
  { allTenants = false, ...query }: VolumeSnapshotQuery = {},
): Promise<VolumeSnapshotRow[]> {
  authorize(deps, context, 'volume:get_all_snapshots');
  const whose = allTenants && context.isAdmin ? {} : { projectId: context.projectId ?? '' };
  return listVolumeSnapshots(deps.db.knex, { ...query, ...whose });
}

/** In which a snapshot can be made; one in use only where the caller insists. */
const COPYABLE: readonly VolumeStatus[] = [volumeStatus.available];
const COPYABLE_BY_FORCE: readonly VolumeStatus[] = [
  volumeStatus.available,
  volumeStatus.inUse,
  volumeStatus.attaching,
  volumeStatus.detaching,
];

/**
 * Accepts a snapshot of a volume: its row and the message to the volume's host are one transaction.
 *
 * @throws Fault `VolumeNotFound`, `InvalidVolume`
 */
export async function createVolumeSnapshot(
  deps: Deps,
  context: RequestContext,
  request: { volumeId: string; name: string | null; description: string | null; force?: boolean },
): Promise<VolumeSnapshotRow> {
  const { volumeId, force = false } = request;
  const row = await visibleVolume(deps, context, volumeId);
  authorize(deps, context, 'volume:create_snapshot', volumeTarget(row));
  const id = deps.random.uuid();
  return deps.outbox.transaction(async (trx, send) => {
    const volume = await lockedVolume(trx, volumeId);
    const { host, status } = volume;
    if (host === null || !(force ? COPYABLE_BY_FORCE : COPYABLE).includes(status))
      throw novaFault('InvalidVolume', { reason: 'must be available' });
    const snapshot = {
      id,
      volume_id: volumeId,
      user_id: context.userId,
      project_id: context.projectId,
      volume_size: volume.size,
      display_name: request.name,
      display_description: request.description,
    };
    await insertVolumeSnapshot(trx, snapshot, deps.clock.now());
    const message = { volume_id: volumeId, snapshot_id: id };
    await volumeContract.client(send).create_snapshot(context, message, { host });
    // As it was accepted: by the time of the answer it may be there.
    return volumeSnapshotById(trx, id);
  });
}

/** @throws Fault `SnapshotNotFound`, `InvalidVolume` */
export async function deleteVolumeSnapshot(deps: Deps, context: RequestContext, id: string): Promise<void> {
  const row = await visibleSnapshot(deps, context, id);
  authorize(deps, context, 'volume:delete_snapshot', volumeTarget(row));
  await deps.outbox.transaction(async (trx, send) => {
    if (!(await tryMoveSnapshot(trx, id, 'delete', deps.clock.now())))
      throw novaFault('InvalidVolume', { reason: 'Volume Snapshot status must be available or error' });
    const { host } = await volumeById(trx, row.volume_id);
    await volumeContract
      .client(send)
      .delete_snapshot(context, { snapshot_id: id }, host === null ? {} : { host });
  });
}

/** For administrators who know better; who may, the front's policy says. @throws Fault `SnapshotNotFound` */
export async function setSnapshotStatus(
  deps: Deps,
  context: RequestContext,
  id: string,
  status: string,
): Promise<void> {
  await volumeSnapshotById(deps.db.knex, id, visibleProject(context));
  await resetSnapshotStatus(deps.db.knex, id, status, deps.clock.now());
}
