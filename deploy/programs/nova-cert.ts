import { startCert } from '@folsom/cert';
import { novaDaemon } from '../nova-daemon.ts';

/** nova-cert, configured by nova.conf. */
export const main = (argv: string[]): Promise<number> =>
  novaDaemon(argv, { program: 'nova-cert', start: startCert });
