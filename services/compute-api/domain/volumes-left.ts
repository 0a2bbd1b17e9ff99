import type { RequestContext } from '@folsom/core';
import { type BlockDeviceRow, volumesOf } from '@folsom/nova/block-devices';
import { volumeContract } from '@folsom/nova/rpc/volume';
import { attachStatus, volumeStatus } from '@folsom/nova/volume-state';
import { markDetached, tryMoveVolume, type VolumeRow, volumeById } from '@folsom/nova/volumes';
import type { Deps } from './deps.ts';
import { deleteVolume } from './volumes.ts';

/** Volumes of an instance that is deleted without its host: there is none, or it is down. */

/** Those that a boot made for it, of one that never got a host: what its user brought is left alone. */
export const MADE_FOR_IT = (device: BlockDeviceRow): boolean => device.snapshot_id !== null;

/** Nobody waits longer for a nova-volume that may be away as well. */
const GOODBYE_MS = 5_000;

/** Nobody's any more, and deleted where they were to go with their instance. What fails is for the log. */
export async function freeVolumes(
  deps: Deps,
  context: RequestContext,
  instance: { uuid: string; host: string | null },
  which: (device: BlockDeviceRow) => boolean = () => true,
): Promise<void> {
  for (const device of await volumesOf(deps.db.knex, instance.uuid)) {
    try {
      const volume = await volumeById(deps.db.knex, device.volume_id);
      await free(deps, context, instance, volume);
      if (device.delete_on_termination === true && which(device))
        await deleteVolume(deps, context, volume.id);
    } catch (error) {
      deps.log.warn('a volume could not be freed with its instance', {
        instance: instance.uuid,
        volume: device.volume_id,
        error,
      });
    }
  }
}

async function free(
  deps: Deps,
  context: RequestContext,
  instance: { uuid: string; host: string | null },
  volume: VolumeRow,
): Promise<void> {
  if (volume.instance_uuid !== instance.uuid) return;
  if (volume.status === volumeStatus.attaching && volume.attach_status !== attachStatus.attached) {
    const nobody = { instance_uuid: null, mountpoint: null };
    const still = { instanceUuid: instance.uuid };
    await tryMoveVolume(deps.db.knex, volume.id, 'unreserve', deps.clock.now(), nobody, still);
  }
  if (volume.attach_status !== attachStatus.attached) return;
  // The host cannot say who it was; the original's API does not know either.
  const connector = { ip: '127.0.0.1', initiator: 'iqn.fake', host: instance.host };
  const volumes = volumeContract.client(deps.bus);
  const to = { timeoutMs: GOODBYE_MS, ...(volume.host === null ? {} : { host: volume.host }) };
  await volumes
    .terminate_connection(context, { volume_id: volume.id, connector }, to)
    .catch(error => deps.log.warn('a connection could not be ended', { volume: volume.id, error }));
  await markDetached(deps.db.knex, volume.id, deps.clock.now());
}
