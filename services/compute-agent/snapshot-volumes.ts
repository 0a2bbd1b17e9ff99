import type { RequestContext } from '@folsom/core';
import { type BlockDeviceRow, changeBlockDevice } from '@folsom/nova/block-devices';
import { novaFault } from '@folsom/nova/faults';
import { withQuota } from '@folsom/nova/quota-lock';
import { defaultLimits } from '@folsom/nova/quotas';
import { volumeContract } from '@folsom/nova/rpc/volume';
import { volumeSnapshotById } from '@folsom/nova/volume-snapshots';
import { volumeStatus } from '@folsom/nova/volume-state';
import { insertVolume, volumeById } from '@folsom/nova/volumes';
import type { Guest } from './driver.ts';
import { type ComputeSeam, nowOf } from './seam.ts';

/**
 * Has the volume of a boot made from its snapshot, on that snapshot's host, and notes it in the mapping: row, quota,
 * mapping and message in one transaction, so that it is made once.
 *
 * @throws Fault `SnapshotNotFound`, `InvalidSnapshot`, `OverQuota`
 */
export async function volumeOfSnapshot(
  seam: ComputeSeam,
  context: RequestContext,
  guest: Guest,
  device: BlockDeviceRow,
): Promise<string> {
  const { knex } = seam.db;
  const { project_id, user_id } = guest;
  const snapshot = await volumeSnapshotById(knex, device.snapshot_id ?? '', project_id);
  if (snapshot.status !== volumeStatus.available)
    throw novaFault('InvalidSnapshot', { reason: 'status must be available' });
  const origin = await volumeById(knex, snapshot.volume_id);
  const size = Math.max(device.volume_size ?? 0, snapshot.volume_size);
  const id = seam.world.random.uuid();
  const now = nowOf(seam);
  const deltas = { volumes: 1, gigabytes: size };
  await withQuota(
    seam.db,
    project_id ?? '',
    defaultLimits(seam.settings),
    deltas,
    now,
    async (trx, send) => {
      await insertVolume(
        trx,
        {
          id,
          size,
          user_id,
          project_id,
          snapshot_id: snapshot.id,
          availability_zone: origin.availability_zone,
          volume_type_id: origin.volume_type_id,
          host: origin.host,
          display_name: '',
          display_description: '',
        },
        now,
      );
      await changeBlockDevice(trx, device.id, { volume_id: id }, now);
      await volumeContract
        .client(send)
        .create_volume(
          context,
          { volume_id: id, snapshot_id: snapshot.id, image_id: null },
          { host: origin.host ?? '' },
        );
    },
    { transact: seam.outbox.transaction },
  );
  return id;
}
