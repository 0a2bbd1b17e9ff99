import { adminContext } from '@folsom/core';
import { listVolumeSnapshots, type VolumeSnapshotRow } from '@folsom/nova/volume-snapshots';
import { type VolumeStatus, volumeStatus } from '@folsom/nova/volume-state';
import { listVolumes, tryMoveVolume, tryUpdateVolume, type VolumeRow } from '@folsom/nova/volumes';
import { deleteVolume } from './operations/delete.ts';
import { uploadEnded } from './operations/image.ts';
import { createSnapshot, deleteSnapshot } from './operations/snapshots.ts';
import { diskOf, nowOf, type VolumeSeam } from './seam.ts';

const EXPORTED: ReadonlySet<string> = new Set([
  volumeStatus.available,
  volumeStatus.attaching,
  volumeStatus.inUse,
  volumeStatus.detaching,
  volumeStatus.uploading,
  volumeStatus.downloading,
]);

/** Conditions in which a volume or snapshot is worked on. */
const UNFINISHED: readonly VolumeStatus[] = [
  volumeStatus.creating,
  volumeStatus.downloading,
  volumeStatus.uploading,
  volumeStatus.deleting,
];

/** At start, before anything is served: the host shows what the rows say, and nothing else. */
export async function takeOver(seam: VolumeSeam): Promise<void> {
  const { db, driver, log } = seam;
  const rows = await listVolumes(db.knex, { host: seam.host });
  for (const removed of await driver.sweep(rows.map(row => diskOf(seam, row))))
    log.warn('removed what a former life had left', { what: removed });
  for (const row of rows) {
    if (!EXPORTED.has(row.status)) continue;
    try {
      const { provider_location } = await driver.ensureExport(diskOf(seam, row));
      if (provider_location !== row.provider_location)
        await tryUpdateVolume(db.knex, row.id, { provider_location }, nowOf(seam));
    } catch (error) {
      // One lost disk must not keep the others from their users.
      log.error('cannot export a volume', { volume: row.id, error });
    }
  }
}

/**
 * Finishes work that no message speaks of any more. What needs its message and got none for `olderThanMs` is given up, and
 * its row says so; deletions and snapshots need none.
 */
export async function resume(
  seam: VolumeSeam,
  olderThanMs: number,
  statuses: readonly VolumeStatus[] = UNFINISHED,
): Promise<void> {
  const { db, host } = seam;
  const before = nowOf(seam) - olderThanMs;
  const left = (row: VolumeRow | VolumeSnapshotRow) =>
    !seam.busy.has(row.id) && (row.updated_at ?? row.created_at ?? 0) <= before;
  for (const row of (await listVolumes(db.knex, { host, statuses })).filter(left)) {
    if (await patiently(seam, row.id, () => resumeVolume(seam, row)))
      seam.log.warn('took up what nobody worked on', { volume: row.id, status: row.status });
  }
  for (const row of (await listVolumeSnapshots(db.knex, { host, statuses })).filter(left)) {
    if (await patiently(seam, row.id, () => resumeSnapshot(seam, row)))
      seam.log.warn('took up what nobody worked on', { snapshot: row.id, status: row.status });
  }
}

async function patiently(seam: VolumeSeam, id: string, work: () => Promise<boolean>): Promise<boolean> {
  try {
    return await work();
  } catch (error) {
    seam.log.warn('cannot finish what was begun', { id, error });
    return false;
  }
}

async function resumeVolume(seam: VolumeSeam, row: VolumeRow): Promise<boolean> {
  switch (row.status) {
    case volumeStatus.deleting:
      await deleteVolume(seam, adminContext(), row.id);
      return true;
    case volumeStatus.creating:
    case volumeStatus.downloading:
      return tryMoveVolume(seam.db.knex, row.id, 'createFailed', nowOf(seam));
    case volumeStatus.uploading:
      await uploadEnded(seam, row.id);
      return true;
    default:
      return false;
  }
}

async function resumeSnapshot(seam: VolumeSeam, row: VolumeSnapshotRow): Promise<boolean> {
  if (row.status === volumeStatus.deleting) await deleteSnapshot(seam, row.id);
  else if (row.status === volumeStatus.creating) await createSnapshot(seam, row.id);
  else return false;
  return true;
}

/** A volume that no host got within this time has lost its message. */
export async function expireLost(seam: VolumeSeam, olderThanMs: number): Promise<void> {
  const before = nowOf(seam) - olderThanMs;
  for (const row of await listVolumes(seam.db.knex, { statuses: [volumeStatus.creating] })) {
    if (row.host !== null || (row.updated_at ?? row.created_at ?? 0) > before) continue;
    await tryMoveVolume(seam.db.knex, row.id, 'createFailed', nowOf(seam), {}, { host: null });
  }
}
