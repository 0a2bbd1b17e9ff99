import { startNetwork } from '@folsom/network';
import { novaDaemon } from '../nova-daemon.ts';

/** nova-network, configured by nova.conf. */
export const main = (argv: string[]): Promise<number> =>
  novaDaemon(argv, { program: 'nova-network', start: startNetwork });
