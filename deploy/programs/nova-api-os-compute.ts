import { startConfiguredComputeApi } from '../compute-api-program.ts';
import { novaDaemon } from '../nova-daemon.ts';

/** nova-api-os-compute: the OpenStack compute API alone. */
export const main = (argv: string[]): Promise<number> =>
  novaDaemon(argv, {
    program: 'nova-api-os-compute',
    start: startConfiguredComputeApi,
  });
