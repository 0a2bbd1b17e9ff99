import type { RequestContext } from '@folsom/core';
import { novaFault } from '@folsom/nova/faults';
import type { volumeContract } from '@folsom/nova/rpc/volume';
import { tryMoveSnapshot } from '@folsom/nova/volume-snapshots';
import { volumeStatus } from '@folsom/nova/volume-state';
import { listVolumes, markAttached, markDetached, tryMoveVolume, volumeById } from '@folsom/nova/volumes';
import type { Handlers } from '@folsom/rpc';
import { createVolume } from './operations/create.ts';
import { deleteVolume } from './operations/delete.ts';
import { copyVolumeToImage, uploadEnded } from './operations/image.ts';
import { createSnapshot, deleteSnapshot } from './operations/snapshots.ts';
import { diskOf, nowOf, type VolumeSeam } from './seam.ts';

/** Conditions in which an instance may be given a way to a volume. */
const CONNECTABLE: ReadonlySet<string> = new Set([
  volumeStatus.available,
  volumeStatus.attaching,
  volumeStatus.inUse,
  volumeStatus.detaching,
  volumeStatus.uploading,
]);

/** Everything nova-volume answers. */
export function volumeHandlers(
  seam: VolumeSeam,
  publishCapabilities: () => Promise<void>,
): Handlers<(typeof volumeContract)['methods']> {
  const { db, driver } = seam;
  return {
    create_volume: (context, args) => createVolume(seam, context, args),
    delete_volume: (context, { volume_id }) => deleteVolume(seam, context, volume_id),
    create_snapshot: (_context, { snapshot_id }) => createSnapshot(seam, snapshot_id),
    delete_snapshot: (_context, { snapshot_id }) => deleteSnapshot(seam, snapshot_id),
    copy_volume_to_image: (context, args) => copyVolumeToImage(seam, context, args),

    async attach_volume(_context, { volume_id, instance_uuid, mountpoint }) {
      await markAttached(db.knex, volume_id, { instanceUuid: instance_uuid, mountpoint }, nowOf(seam));
      return null;
    },
    async detach_volume(_context, { volume_id }) {
      await volumeById(db.knex, volume_id);
      await markDetached(db.knex, volume_id, nowOf(seam));
      return null;
    },
    initialize_connection: (_context, { volume_id, connector }) =>
      seam.inTurn(volume_id, async () => {
        const row = await volumeById(db.knex, volume_id);
        if (row.host !== seam.host)
          throw novaFault('InvalidVolume', { reason: 'Volume is not local to this node' });
        if (!CONNECTABLE.has(row.status))
          throw novaFault('InvalidVolume', { reason: `status is ${row.status}` });
        return driver.connect(diskOf(seam, row), connector);
      }),
    terminate_connection: (_context, { volume_id, connector }) =>
      seam.inTurn(volume_id, async () => {
        await driver.disconnect(diskOf(seam, await volumeById(db.knex, volume_id)), connector);
        return null;
      }),
    async check_for_export(_context, { instance_id }) {
      const instance = await db.knex('instances').where({ id: instance_id, deleted: 0 }).first('uuid');
      if (instance === undefined) throw novaFault('InstanceNotFound', { instance_id });
      const rows = await listVolumes(db.knex, { instanceUuid: instance.uuid as string });
      for (const row of rows.filter(({ host }) => host === seam.host))
        await driver.checkExport(diskOf(seam, row));
      return null;
    },
    publish_service_capabilities: () => publishCapabilities(),
  };
}

/** Makes the rows say that a message is given up: it failed for a passing cause too often. */
export async function abandoned(
  seam: VolumeSeam,
  _context: RequestContext,
  method: string,
  args: { volume_id?: string; snapshot_id?: string | null },
): Promise<void> {
  const { knex } = seam.db;
  const { volume_id = '', snapshot_id } = args;
  for (const id of [volume_id, snapshot_id]) if (typeof id === 'string') seam.busy.delete(id);
  if (method === 'create_volume') await tryMoveVolume(knex, volume_id, 'createFailed', nowOf(seam));
  if (method === 'delete_volume') await tryMoveVolume(knex, volume_id, 'deleteFailed', nowOf(seam));
  if (method === 'copy_volume_to_image') await uploadEnded(seam, volume_id);
  if (method === 'create_snapshot')
    await tryMoveSnapshot(knex, snapshot_id ?? '', 'createFailed', nowOf(seam));
  if (method === 'delete_snapshot')
    await tryMoveSnapshot(knex, snapshot_id ?? '', 'deleteFailed', nowOf(seam));
}
