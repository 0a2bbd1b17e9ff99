import { startConfiguredVolumeApi } from '../compute-api-program.ts';
import { novaDaemon } from '../nova-daemon.ts';

/** nova-api-os-volume: the volume API alone. */
export const main = (argv: string[]): Promise<number> =>
  novaDaemon(argv, {
    program: 'nova-api-os-volume',
    start: startConfiguredVolumeApi,
  });
