import { startNovncProxy } from '@folsom/console';
import { novaDaemon } from '../nova-daemon.ts';

/** nova-novncproxy, configured by nova.conf. */
export const main = (argv: string[]): Promise<number> =>
  novaDaemon(argv, {
    program: 'nova-novncproxy',
    needsDatabase: false,
    start: startNovncProxy,
  });
