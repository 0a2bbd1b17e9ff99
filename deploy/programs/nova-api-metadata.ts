import { startMetadata } from '@folsom/metadata';
import { novaDaemon } from '../nova-daemon.ts';

/** nova-api-metadata, configured by nova.conf. */
export const main = (argv: string[]): Promise<number> =>
  novaDaemon(argv, { program: 'nova-api-metadata', start: startMetadata });
