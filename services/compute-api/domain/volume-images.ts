import type { RequestContext } from '@folsom/core';
import { novaFault } from '@folsom/nova/faults';
import { wireTime } from '@folsom/nova/rows';
import { volumeContract } from '@folsom/nova/rpc/volume';
import type { ImageWire } from '@folsom/nova/rpc/wire';
import { volumeStatus } from '@folsom/nova/volume-state';
import { tryMoveVolume, type Volume, type VolumeRow } from '@folsom/nova/volumes';
import type { Deps } from './deps.ts';
import { authorize } from './policy.ts';
import { getVolume, volumeTarget } from './volumes.ts';

export interface UploadRequest {
  imageName: string;
  containerFormat: string;
  diskFormat: string;
  /** Also of a volume that an instance has. */
  force: boolean;
}

/**
 * Registers an image and has the volume's host fill it.
 *
 * @throws Fault `VolumeNotFound`, `InvalidVolume`
 */
export async function uploadVolume(
  deps: Deps,
  context: RequestContext,
  id: string,
  request: UploadRequest,
): Promise<{ volume: Volume; image: ImageWire; updatedAt: string | null }> {
  const volume = await getVolume(deps, context, id);
  authorize(deps, context, 'volume:copy_volume_to_image', volumeTarget(volume));
  const { host } = readable(volume, request.force);
  const image = await deps.images.create(context, {
    name: request.imageName,
    container_format: request.containerFormat,
    disk_format: request.diskFormat,
    is_public: false,
  });
  try {
    await deps.outbox.transaction(async (trx, send) => {
      const move = request.force ? 'uploadInUse' : 'upload';
      if (!(await tryMoveVolume(trx, id, move, deps.clock.now())))
        throw novaFault('InvalidVolume', { reason: 'Volume status must be available/in-use.' });
      const message = { volume_id: id, image_id: image.id };
      await volumeContract.client(send).copy_volume_to_image(context, message, { host });
    });
  } catch (error) {
    // Somebody else was first: the image would stay empty for ever.
    await deps.images.delete(context, image.id).catch(() => {});
    throw error;
  }
  return { volume, image, updatedAt: wireTime(volume.updated_at) };
}

/** @throws Fault `InvalidVolume` */
function readable(volume: VolumeRow, force: boolean): { host: string } {
  const { status, host } = volume;
  if (host === null || (status !== volumeStatus.available && status !== volumeStatus.inUse))
    throw novaFault('InvalidVolume', { reason: 'Volume status must be available/in-use.' });
  if (!force && status === volumeStatus.inUse)
    throw novaFault('InvalidVolume', { reason: 'Volume status is in-use.' });
  return { host };
}
