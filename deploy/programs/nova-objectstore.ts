import { startObjectstore } from '@folsom/objectstore';
import { novaDaemon } from '../nova-daemon.ts';

/** nova-objectstore, configured by nova.conf. */
export const main = (argv: string[]): Promise<number> =>
  novaDaemon(argv, { program: 'nova-objectstore', needsDatabase: false, start: startObjectstore });
