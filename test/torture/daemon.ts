// One nova daemon of a tortured cloud: `node daemon.ts SETTINGS NAME`. Its clock and its bus are moved by messages of its
// parent; it ends with it.
import { readFileSync } from 'node:fs';
import { authTokenOptions, authTokenSettings, identityValidator } from '@folsom/auth';
import { imageClient, libvirtDriver, startCompute } from '@folsom/compute-agent';
import { settingsOf } from '@folsom/compute-agent/testing';
import { novaPolicy, startComputeApi } from '@folsom/compute-api';
import { configFrom } from '@folsom/config';
import { consoleOptions, startConsoleAuth } from '@folsom/console';
import { createLogger, systemClock, systemRandom, type World } from '@folsom/core';
import { openDatabase } from '@folsom/db';
import { startNetwork } from '@folsom/network';
import { novaFaultStatus } from '@folsom/nova/faults';
import { novaOptions } from '@folsom/nova/options';
import { createRabbitBus } from '@folsom/rpc';
import { schedulerOptions, startScheduler, trustOptions } from '@folsom/scheduler';
import { faultyBus, rabbitOptions } from '@folsom/testing';
import { filteredDriver } from '../simulation/filtered-driver.ts';
import { lastingDriver, lastingFilter } from './hypervisor.ts';
import { type DaemonSettings, HOSTS, type Noise, type ToDaemon } from './settings.ts';

const [file, name] = process.argv.slice(2) as [string, string];
const settings = JSON.parse(readFileSync(file, 'utf8')) as DaemonSettings;
const role = name.replace(/\d+$/, '');

let stepMs = 0;
let noisy = false;
let injected: { fault: string }[] = [];
const clock = { ...systemClock, now: () => systemClock.now() + stepMs };
const log = createLogger({
  level: 'info',
  write: line => void process.stdout.write(line),
  fields: { process: name },
});
const world: World = { clock, random: systemRandom, log };

process.on('message', (message: ToDaemon) => {
  if ('clockMs' in message) stepMs = message.clockMs;
  if (!('noise' in message)) return;
  if (noisy && !message.noise) {
    const done = injected.splice(0);
    const count = (fault: string) => done.filter(one => one.fault === fault).length;
    process.send?.({ late: count('delay'), twice: count('duplicate') } satisfies Noise);
  }
  noisy = message.noise;
});
process.on('disconnect', () => process.exit(1));
process.on('uncaughtException', error => {
  log.error('uncaught', { error });
  process.exit(70);
});

const config = configFrom([novaOptions, authTokenOptions, schedulerOptions, trustOptions, consoleOptions], {
  DEFAULT: { ...settings.nova, host: role === 'node' ? name : 'control', ...settings.daemons[name]?.nova },
});
const { database, broker } = settings.daemons[name]!.lines;
const db = await openDatabase({
  connection: settings.connection.replace('HOST:PORT', `${database.host}:${database.port}`),
  clock,
  log,
  waitMs: 600_000,
});
const line = createRabbitBus({
  options: { ...rabbitOptions(broker.port), rabbit_host: broker.host, rpc_response_timeout: 30 },
  world,
  faultStatus: novaFaultStatus,
});
const bus = faultyBus(line, {
  seed: settings.seed,
  clock: systemClock,
  duplicate: 0.2,
  delay: 0.4,
  delayMs: 3000,
  twin: (topic, method) =>
    topic.startsWith('compute.') && method === 'run_instance'
      ? `compute.${HOSTS[systemRandom.int(HOSTS.length)]}`
      : undefined,
  only: () => noisy,
});
injected = bus.injected;
const parts = { config, db, bus, world };

if (role === 'api') {
  const auth = authTokenSettings(config, settings.authToken);
  await startComputeApi({
    ...parts,
    database: db,
    validator: await identityValidator({ settings: auth, world, bus, host: name }),
    policy: novaPolicy(),
    authUri: auth.authUri,
  });
} else if (role === 'scheduler') await startScheduler(parts);
else if (role === 'network') await startNetwork(parts);
else if (role === 'consoleauth') await startConsoleAuth(parts);
else {
  const images = imageClient({ servers: config.of(novaOptions).glance_api_servers, retries: 3 });
  if (settings.driver === 'libvirt') {
    await startNetwork(parts);
    const driver = libvirtDriver({ settings: settingsOf(config), db, images, world });
    await startCompute({ ...parts, images, driver });
  } else {
    const filter = lastingFilter(settings.dir, name);
    const driver = filteredDriver(lastingDriver(settings.dir, name), { db, runner: filter, host: name, log });
    await startCompute({ ...parts, images, driver });
  }
}
log.info('ready');
process.send?.('ready');
