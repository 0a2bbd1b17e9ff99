import { isFault, type RequestContext } from '@folsom/core';
import { novaFault } from '@folsom/nova/faults';
import { withQuota } from '@folsom/nova/quota-lock';
import { defaultLimits } from '@folsom/nova/quotas';
import { attachStatus, volumeStatus } from '@folsom/nova/volume-state';
import { destroyVolume, tryMoveVolume, type VolumeRow } from '@folsom/nova/volumes';
import { diskOf, nowOf, presentVolume, step, type VolumeSeam } from '../seam.ts';
import { failed, repeatable } from './operation.ts';

/**
 * Deletes a volume: its export first, so that nobody reaches it, then its disk, then its row. Run again it goes on where it
 * was; what is gone already is no mistake.
 *
 * @throws Fault `VolumeAttached`, `InvalidVolume` when it is on another host
 */
export const deleteVolume = (seam: VolumeSeam, context: RequestContext, id: string): Promise<void> =>
  seam.inTurn(id, async () => {
    const row = await presentVolume(seam, id);
    if (row === undefined) return;
    if (row.attach_status === attachStatus.attached) throw novaFault('VolumeAttached', { volume_id: id });
    if (row.host !== seam.host)
      throw novaFault('InvalidVolume', { reason: 'Volume is not local to this node' });
    // An operator's command asks without having marked it.
    if (row.status !== volumeStatus.deleting) {
      const now = nowOf(seam);
      if (!(await tryMoveVolume(seam.db.knex, id, 'forceDelete', now, { terminated_at: now })))
        throw novaFault('VolumeAttached', { volume_id: id });
    }
    await repeatable(seam, id, () => remove(seam, context, row));
  });

async function remove(seam: VolumeSeam, context: RequestContext, row: VolumeRow): Promise<void> {
  const { driver, db } = seam;
  const { id } = row;
  const disk = diskOf(seam, row);
  const part = (name: string, work: () => Promise<unknown>) => step(seam, 'delete', name, id, work);
  await seam.notify(context, row, 'delete.start');
  try {
    await part('export', () => driver.removeExport(disk));
    await part('disk', () => driver.delete(disk));
  } catch (error) {
    if (isFault(error, 'VolumeIsBusy')) {
      await driver.ensureExport(disk);
      await tryMoveVolume(db.knex, id, 'deleteRefused', nowOf(seam));
      return;
    }
    await failed(seam, error, () => tryMoveVolume(db.knex, id, 'deleteFailed', nowOf(seam)));
  }
  await part('row', () => {
    const now = nowOf(seam);
    const less = { volumes: -1, gigabytes: -row.size };
    return withQuota(db, row.project_id ?? '', defaultLimits(seam.settings), less, now, trx =>
      destroyVolume(trx, id, now),
    );
  });
  await seam.notify(context, row, 'delete.end');
}
