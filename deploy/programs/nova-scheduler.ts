import { startScheduler } from '@folsom/scheduler';
import { novaDaemon } from '../nova-daemon.ts';

/** nova-scheduler, configured by nova.conf. */
export const main = (argv: string[]): Promise<number> =>
  novaDaemon(argv, {
    program: 'nova-scheduler',
    start: startScheduler,
  });
