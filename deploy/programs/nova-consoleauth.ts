import { startConsoleAuth } from '@folsom/console';
import { novaDaemon } from '../nova-daemon.ts';

/** nova-consoleauth, configured by nova.conf. */
export const main = (argv: string[]): Promise<number> =>
  novaDaemon(argv, {
    program: 'nova-consoleauth',
    start: startConsoleAuth,
  });
