import { isFault } from '@folsom/core';
import { destroyVolumeSnapshot, tryMoveSnapshot } from '@folsom/nova/volume-snapshots';
import { volumeStatus } from '@folsom/nova/volume-state';
import { nowOf, presentSnapshot, snapshotDiskOf, step, type VolumeSeam } from '../seam.ts';
import { failed, repeatable } from './operation.ts';

/** Makes a snapshot. Run again it goes on where it was. */
export async function createSnapshot(seam: VolumeSeam, id: string): Promise<void> {
  const found = await presentSnapshot(seam, id);
  if (found === undefined) return;
  await seam.inTurn(found.volume_id, async () => {
    const row = await presentSnapshot(seam, id);
    if (row?.status !== volumeStatus.creating) return;
    await repeatable(seam, id, async () => {
      const { knex } = seam.db;
      try {
        await step(seam, 'create_snapshot', 'copy', id, () =>
          seam.driver.createSnapshot(snapshotDiskOf(seam, row)),
        );
      } catch (error) {
        await failed(seam, error, () => tryMoveSnapshot(knex, id, 'createFailed', nowOf(seam)));
      }
      await step(seam, 'create_snapshot', 'row', id, () =>
        tryMoveSnapshot(knex, id, 'created', nowOf(seam), { progress: '100%' }),
      );
    });
  });
}

/** Takes a snapshot away; what is gone already is no mistake. */
export async function deleteSnapshot(seam: VolumeSeam, id: string): Promise<void> {
  const found = await presentSnapshot(seam, id);
  if (found === undefined) return;
  await seam.inTurn(found.volume_id, async () => {
    const row = await presentSnapshot(seam, id);
    if (row?.status !== volumeStatus.deleting) return;
    await repeatable(seam, id, async () => {
      const { knex } = seam.db;
      try {
        await step(seam, 'delete_snapshot', 'disk', id, () =>
          seam.driver.deleteSnapshot(snapshotDiskOf(seam, row)),
        );
      } catch (error) {
        if (isFault(error, 'SnapshotIsBusy')) {
          await tryMoveSnapshot(knex, id, 'deleteRefused', nowOf(seam));
          return;
        }
        await failed(seam, error, () => tryMoveSnapshot(knex, id, 'deleteFailed', nowOf(seam)));
      }
      await step(seam, 'delete_snapshot', 'row', id, () => destroyVolumeSnapshot(knex, id, nowOf(seam)));
    });
  });
}
