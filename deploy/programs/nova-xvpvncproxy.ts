import { startXvpVncProxy } from '@folsom/console';
import { novaDaemon } from '../nova-daemon.ts';

/** nova-xvpvncproxy, configured by nova.conf. */
export const main = (argv: string[]): Promise<number> =>
  novaDaemon(argv, {
    program: 'nova-xvpvncproxy',
    needsDatabase: false,
    start: startXvpVncProxy,
  });
