import type { RequestContext } from '@folsom/core';
import { volumeContract } from '@folsom/nova/rpc/volume';
import type { VolumeJob } from './driver.ts';
import type { ProvisionSeam } from './provision.ts';
import type { Sources } from './sources.ts';

/** Gives a volume to the nova-volume of a host. */
export async function castVolume(
  { bus, world }: Pick<ProvisionSeam, 'bus' | 'world'>,
  sources: Sources,
  context: RequestContext,
  host: string,
  job: VolumeJob,
): Promise<void> {
  await sources.updateVolume(job.volume_id, { host, scheduledAt: world.clock.now() });
  await volumeContract.client(bus).create_volume(context, job, { host });
}
