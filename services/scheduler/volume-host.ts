import type { RequestContext } from '@folsom/core';
import type { VolumeJob } from './driver.ts';
import type { ProvisionSeam } from './provision.ts';
import type { Sources } from './sources.ts';

/** Gives a volume to the nova-volume of a host. Folsom sends this dictionary without a version. */
export async function castVolume(
  { bus, world }: Pick<ProvisionSeam, 'bus' | 'world'>,
  sources: Sources,
  context: RequestContext,
  host: string,
  job: VolumeJob,
): Promise<void> {
  await sources.updateVolume(job.volume_id, { host, scheduledAt: world.clock.now() });
  await bus.cast(context, `volume.${host}`, {
    method: 'create_volume',
    args: { volume_id: job.volume_id, snapshot_id: job.snapshot_id, image_id: job.image_id },
  });
}
