import type { RequestContext } from '@folsom/core';
import { volumeContract } from '@folsom/nova/rpc/volume';
import { tryUpdateVolume } from '@folsom/nova/volumes';
import type { VolumeJob } from './driver.ts';
import type { ProvisionSeam } from './provision.ts';

/**
 * Gives a volume to the nova-volume of a host: row and message are one transaction. One that has a host already, or is
 * gone, is left alone: the message came again.
 */
export const castVolume = (
  { outbox, world }: Pick<ProvisionSeam, 'outbox' | 'world'>,
  context: RequestContext,
  host: string,
  job: VolumeJob,
): Promise<void> =>
  outbox.transaction(async (trx, send) => {
    const now = world.clock.now();
    const placed = await tryUpdateVolume(trx, job.volume_id, { host, scheduled_at: now }, now, {
      host: null,
    });
    if (placed) await volumeContract.client(send).create_volume(context, job, { host });
  });
