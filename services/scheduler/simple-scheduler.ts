import { novaFault } from '@folsom/nova/faults';
import { serviceIsUp } from '@folsom/nova/services';
import { type ChanceSchedulerOptions, chanceScheduler } from './chance-scheduler.ts';
import type { SchedulerDriver } from './driver.ts';
import { schedulerFault } from './faults.ts';
import { countRemoved, newTally, noValidHost, tallyText } from './no-valid-host.ts';
import { castVolume } from './volume-host.ts';

/** Instances by lot, volumes on the host with the fewest gigabytes. */
export function simpleScheduler(options: ChanceSchedulerOptions & { maxGigabytes: number }): SchedulerDriver {
  const { seam, sources, world, serviceDownTimeMs, maxGigabytes } = options;
  return {
    ...chanceScheduler(options),
    async createVolume(context, job) {
      const volume = await sources.volume(job.volume_id);
      if (volume === undefined) throw novaFault('VolumeNotFound', { volume_id: job.volume_id });
      const now = world.clock.now();
      const services = await sources.services('volume');
      const [zone, forced] = (volume.availability_zone ?? '').split(':', 2);
      if (forced && context.isAdmin) {
        const service = services.find(({ host }) => host === forced);
        if (!service || !serviceIsUp(service, now, serviceDownTimeMs)) {
          throw schedulerFault('WillNotSchedule', { host: forced });
        }
        return castVolume(seam, context, forced, job);
      }
      const tally = newTally(services.length);
      const up = services.filter(service => serviceIsUp(service, now, serviceDownTimeMs));
      countRemoved(tally, 'being down', services.length - up.length);
      const inZone = up.filter(service => !zone || service.availability_zone === zone);
      countRemoved(tally, 'availability zone', up.length - inZone.length);
      const used = await sources.volumeGigabytes();
      const gigabytes = (host: string) => used.get(host) ?? 0;
      const roomy = inZone
        .filter(({ host }) => gigabytes(host) + volume.size <= maxGigabytes)
        .sort((a, b) => gigabytes(a.host) - gigabytes(b.host));
      countRemoved(tally, 'max_gigabytes', inZone.length - roomy.length);
      const [best] = roomy;
      if (best === undefined) throw noValidHost(tallyText(tally));
      await castVolume(seam, context, best.host, job);
    },
  };
}
