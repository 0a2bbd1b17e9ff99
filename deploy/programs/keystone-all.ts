import { hostname } from 'node:os';
import { loadConfig, RELEASE } from '@folsom/config';
import { createLogger, systemClock, systemRandom } from '@folsom/core';
import { openDatabase } from '@folsom/db';
import { keystoneOptions, keystoneSqlOptions, keystoneTokenOptions, startIdentity } from '@folsom/identity';
import { rpcOptions } from '@folsom/rpc';
import { keystoneConf } from '../conf/keystone.ts';
import { observe } from '../observe.ts';
import { tellReady } from '../on-ready.ts';
import { programLog } from '../program-log.ts';
import { runUntilSignal } from '../run.ts';

/** keystone: both APIs in one process, configured by keystone.conf. */
export async function main(argv: string[]): Promise<number> {
  const starting = createLogger({ fields: { service: 'keystone' } });
  const config = loadConfig({
    program: 'keystone-all',
    ...keystoneConf,
    files: ['/etc/keystone/keystone.conf'],
    expected: isPasteSection,
    argv,
    log: starting,
  });
  if (config.wants) {
    process.stdout.write(config.wants === 'help' ? config.help() : `${RELEASE}\n`);
    return 0;
  }
  const log = programLog(config, 'keystone');
  const observed = await observe(config, 'keystone', { clock: systemClock, random: systemRandom, log });
  const { world } = observed;
  log.debug('configuration', config.dump());
  const db = await openDatabase({
    connection: config.of(keystoneSqlOptions).connection,
    name: 'keystone',
    ...world,
  });
  const bus = config.of(keystoneTokenOptions).revocation_bus
    ? (await import('@folsom/rpc')).createRabbitBus({ options: config.of(rpcOptions), world })
    : null;
  try {
    const service = await startIdentity({ config, db, bus, world, host: hostname() });
    void tellReady(config.of(keystoneOptions).onready, {
      log,
      notifySocket: process.env.NOTIFY_SOCKET,
    });
    log.info('ready', { public: service.addresses[0], admin: service.addresses[1] });
    return await runUntilSignal(service, log);
  } finally {
    await bus?.close();
    await db.close();
    await observed.stop();
  }
}

/** keystone.conf is also its own paste configuration; pipelines are fixed here. */
const isPasteSection = (group: string): boolean => /^(filter|app|pipeline|composite):/.test(group);
