import { isFault, type RequestContext } from '@folsom/core';
import { reserveBlockDevice, volumesOf } from '@folsom/nova/block-devices';
import { parseDevice } from '@folsom/nova/device-names';
import { novaFault } from '@folsom/nova/faults';
import { type InstanceRecord, instanceRecord } from '@folsom/nova/instance-records';
import { checkAction } from '@folsom/nova/instance-state';
import { computeContract } from '@folsom/nova/rpc/compute';
import { attachStatus } from '@folsom/nova/volume-state';
import { hostOf } from './actions.ts';
import type { Deps } from './deps.ts';
import { getInstance, targetOf, wireOf } from './instances.ts';
import { authorize } from './policy.ts';
import { beginDetaching, reserveVolume } from './volume-attachments.ts';
import { visibleVolume } from './volumes.ts';

/** A volume that an instance has, or is about to have. */
export interface Attachment {
  volumeId: string;
  instanceUuid: string;
  /** What the instance calls it. */
  device: string;
}

/** In the order in which they came; `page` of all of them. */
export async function attachmentsOf(
  deps: Deps,
  _context: RequestContext,
  instance: InstanceRecord,
  page: { offset: number; limit: number } = { offset: 0, limit: Number.POSITIVE_INFINITY },
): Promise<Attachment[]> {
  const rows = await volumesOf(deps.db.knex, instance.uuid);
  return rows.slice(page.offset, page.offset + page.limit).map(row => ({
    volumeId: row.volume_id,
    instanceUuid: instance.uuid,
    device: row.device_name,
  }));
}

/** @throws Fault `VolumeUnattached` when the instance does not have it */
export async function getAttachment(
  deps: Deps,
  context: RequestContext,
  instance: InstanceRecord,
  volumeId: string,
): Promise<Attachment> {
  const found = (await attachmentsOf(deps, context, instance)).find(one => one.volumeId === volumeId);
  if (found === undefined) throw novaFault('VolumeUnattached', { volume_id: volumeId });
  return found;
}

/**
 * Has a volume attached to an instance: its name in the instance, the volume kept for it, and the message to the
 * instance's host are one transaction. Of two callers at the same moment one gets the volume, and one the name.
 *
 * @throws Fault `InvalidDevicePath`, `DevicePathInUse`, `VolumeNotFound`, `InvalidVolume`, `InstanceIsLocked`,
 *   `InstanceNotReady` while no host has the instance
 */
export async function attachVolume(
  deps: Deps,
  context: RequestContext,
  instance: InstanceRecord,
  wanted: { volumeId: string; device: string | null },
): Promise<Attachment> {
  authorize(deps, context, 'compute:attach_volume', targetOf(instance));
  checkAction('attach_volume', instance, context);
  const { device } = wanted;
  if (device !== null && parseDevice(device) === undefined)
    throw novaFault('InvalidDevicePath', { path: device });
  if (instance.host === null) throw novaFault('InstanceNotReady', { instance_id: instance.uuid });
  const volume = await visibleVolume(deps, context, wanted.volumeId);
  const name = await deps.outbox.transaction(async (trx, send) => {
    const now = deps.clock.now();
    const reserved = await reserveBlockDevice(
      trx,
      instance.uuid,
      { wanted: device, volumeId: volume.id },
      now,
    );
    await reserveVolume(deps, context, trx, volume, { instanceUuid: instance.uuid, mountpoint: reserved });
    // Where it is by now: the name could only be taken while the instance stood still.
    const current = await instanceRecord(trx, instance.uuid);
    await computeContract
      .client(send)
      .attach_volume(
        context,
        { instance: wireOf(deps, current), volume_id: volume.id, mountpoint: reserved },
        hostOf(current),
      );
    return reserved;
  });
  return { volumeId: volume.id, instanceUuid: instance.uuid, device: name };
}

/**
 * Has a volume taken from the instance that has it.
 *
 * @throws Fault `VolumeNotFound`, `InvalidVolume`, `VolumeUnattached`, `InstanceIsLocked`
 */
export async function detachVolume(
  deps: Deps,
  context: RequestContext,
  volumeId: string,
): Promise<Attachment> {
  const volume = await visibleVolume(deps, context, volumeId);
  const { instance_uuid, mountpoint } = volume;
  if (volume.attach_status !== attachStatus.attached || instance_uuid === null)
    throw novaFault('InvalidVolume', { reason: 'Volume must be attached in order to detach.' });
  const instance = await instanceOf(deps, context, volumeId, instance_uuid);
  authorize(deps, context, 'compute:detach_volume', targetOf(instance));
  checkAction('detach_volume', instance, context);
  await deps.outbox.transaction(async (trx, send) => {
    await beginDetaching(deps, context, trx, volume);
    const current = await instanceRecord(trx, instance.uuid);
    await computeContract
      .client(send)
      .detach_volume(context, { instance: wireOf(deps, current), volume_id: volumeId }, hostOf(current));
  });
  return { volumeId, instanceUuid: instance.uuid, device: mountpoint ?? '' };
}

/** @throws Fault `VolumeUnattached` when there is no such instance any more, or none that the caller may see */
async function instanceOf(
  deps: Deps,
  context: RequestContext,
  volumeId: string,
  uuid: string,
): Promise<InstanceRecord> {
  try {
    return await getInstance(deps, context, uuid);
  } catch (error) {
    if (!isFault(error, 'InstanceNotFound')) throw error;
    throw novaFault('VolumeUnattached', { volume_id: volumeId });
  }
}

/** The same for callers who name the instance, too. @throws Fault `VolumeUnattached` when it does not have the volume */
export async function detachFrom(
  deps: Deps,
  context: RequestContext,
  instance: InstanceRecord,
  volumeId: string,
): Promise<void> {
  await getAttachment(deps, context, instance, volumeId);
  await detachVolume(deps, context, volumeId);
}
