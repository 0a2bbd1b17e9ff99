import { startCert } from '@folsom/cert';
import { startXvpVncProxy } from '@folsom/console';
import type { RunningService } from '@folsom/core';
import { startNetwork } from '@folsom/network';
import { novaOptions } from '@folsom/nova/options';
import { startScheduler } from '@folsom/scheduler';
import { type NovaParts, novaDaemon } from '../nova-daemon.ts';
import { FRONT_ENDS } from './nova-api.ts';
import { startConfiguredCompute } from './nova-compute.ts';
import { startConfiguredVolume } from './nova-volume.ts';

type Start = (parts: NovaParts) => Promise<RunningService>;

const DAEMONS: readonly [name: string, start: Start][] = [
  ['nova-xvpvncproxy', startXvpVncProxy],
  ['nova-volume', startConfiguredVolume],
  ['nova-network', startNetwork],
  ['nova-scheduler', startScheduler],
  ['nova-cert', startCert],
  ['nova-compute', startConfiguredCompute],
];

/** nova-all: the front ends of `enabled_apis` and nova's daemons in one process. What cannot start is told, and the others run. */
export const main = (argv: string[]): Promise<number> =>
  novaDaemon(argv, { program: 'nova-all', start: startAll });

async function startAll(parts: NovaParts): Promise<RunningService> {
  const { log } = parts.world;
  const fronts = parts.config
    .of(novaOptions)
    .enabled_apis.map((name): [string, Start | undefined] => [`${name}-api`, FRONT_ENDS[name]]);
  const started: RunningService[] = [];
  for (const [name, start] of [...fronts, ...DAEMONS]) {
    if (start === undefined) {
      log.warn('enabled_apis names a front end that is not there', { name });
      continue;
    }
    try {
      started.push(await start(parts));
    } catch (error) {
      log.error('cannot start', { name, error });
    }
  }
  if (started.length === 0) throw new Error('nothing could be started; the log says why');
  return {
    name: 'nova-all',
    addresses: started.flatMap(service => [...service.addresses]),
    stop: async () => {
      for (const service of started.reverse()) await service.stop();
    },
  };
}
