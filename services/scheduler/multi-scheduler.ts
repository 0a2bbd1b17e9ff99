import type { SchedulerDriver } from './driver.ts';

/** Instances with one driver, volumes with another. */
export const multiScheduler = (drivers: {
  compute: SchedulerDriver;
  volume: SchedulerDriver;
}): SchedulerDriver => ({
  runInstance: drivers.compute.runInstance,
  prepResize: drivers.compute.prepResize,
  checkRebuild: drivers.compute.checkRebuild,
  createVolume: drivers.volume.createVolume,
});
