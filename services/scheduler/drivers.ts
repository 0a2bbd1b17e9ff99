import type { SchedulerDriver } from './driver.ts';
import { schedulerFault } from './faults.ts';
import { multiScheduler } from './multi-scheduler.ts';

export interface DriverNames {
  scheduler_driver: string;
  compute_scheduler_driver: string;
  volume_scheduler_driver: string;
}

export type DriverKind = 'filter' | 'chance' | 'simple';

/** Folsom's class paths, as they stand in nova.conf. */
const CLASSES: Readonly<Record<string, DriverKind>> = {
  'nova.scheduler.filter_scheduler.FilterScheduler': 'filter',
  'nova.scheduler.chance.ChanceScheduler': 'chance',
  'nova.scheduler.simple.SimpleScheduler': 'simple',
};
const MULTI = 'nova.scheduler.multi.MultiScheduler';

/** The driver a configuration names. @throws Fault `ClassNotFound` */
export function chooseDriver(
  names: DriverNames,
  make: Readonly<Record<DriverKind, () => SchedulerDriver>>,
): SchedulerDriver {
  const single = (path: string): SchedulerDriver => {
    const kind = Object.hasOwn(CLASSES, path) ? CLASSES[path] : undefined;
    if (kind === undefined) {
      throw schedulerFault('ClassNotFound', { class_name: path, exception: 'not a scheduler driver' });
    }
    return make[kind]();
  };
  if (names.scheduler_driver !== MULTI) return single(names.scheduler_driver);
  return multiScheduler({
    compute: single(names.compute_scheduler_driver),
    volume: single(names.volume_scheduler_driver),
  });
}
