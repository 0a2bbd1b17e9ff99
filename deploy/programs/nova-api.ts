import type { RunningService } from '@folsom/core';
import { startMetadata } from '@folsom/metadata';
import { novaOptions } from '@folsom/nova/options';
import { startConfiguredComputeApi, startConfiguredVolumeApi } from '../compute-api-program.ts';
import { startConfiguredEc2Api } from '../ec2-api-program.ts';
import { type NovaParts, novaDaemon } from '../nova-daemon.ts';

/** The front ends this program has, by their names in `enabled_apis`. */
export const FRONT_ENDS: Record<string, (parts: NovaParts) => Promise<RunningService>> = {
  ec2: startConfiguredEc2Api,
  osapi_compute: startConfiguredComputeApi,
  osapi_volume: startConfiguredVolumeApi,
  metadata: startMetadata,
};

/** nova-api: every front end that `enabled_apis` names, in one process. */
export const main = (argv: string[]): Promise<number> =>
  novaDaemon(argv, {
    program: 'nova-api',
    start: async parts => {
      const started: RunningService[] = [];
      const stop = async () => {
        for (const service of started.reverse()) await service.stop();
      };
      try {
        for (const name of parts.config.of(novaOptions).enabled_apis) {
          const start = FRONT_ENDS[name];
          if (start) started.push(await start(parts));
          else parts.world.log.warn('enabled_apis names a front end that is not there', { name });
        }
      } catch (error) {
        await stop();
        throw error;
      }
      return { name: 'nova-api', addresses: started.flatMap(service => [...service.addresses]), stop };
    },
  });
