import { startNetwork } from '@folsom/network';
import { hostCommands, novaDaemon } from '../nova-daemon.ts';

/** nova-network, configured by nova.conf. */
export const main = (argv: string[]): Promise<number> =>
  novaDaemon(argv, {
    program: 'nova-network',
    start: parts => startNetwork({ ...parts, runner: hostCommands(parts.config) }),
  });
