import { hostname, networkInterfaces } from 'node:os';
import { type Config, loadConfig, RELEASE } from '@folsom/config';
import {
  createLogger,
  type Logger,
  type RunningService,
  systemClock,
  systemRandom,
  type World,
} from '@folsom/core';
import { checkSchema, type Database, openDatabase } from '@folsom/db';
import { helperRunner, rootHelper } from '@folsom/host/as-root';
import { hostRunner, type Runner } from '@folsom/host/runner';
import { novaFaultStatus } from '@folsom/nova/faults';
import { novaOptions } from '@folsom/nova/options';
import { type Bus, createLocalBus, createRabbitBus, rpcOptions } from '@folsom/rpc';
import { novaConf } from './conf/nova.ts';
import { observe } from './observe.ts';
import { programLog } from './program-log.ts';
import { errorPublisher } from './publish-errors.ts';
import { runUntilSignal } from './run.ts';

export interface NovaParts {
  config: Config;
  db: Database;
  bus: Bus;
  world: World;
}

export interface NovaDaemon {
  /** e.g. `nova-scheduler` */
  program: string;
  /** Programs that read no tables need none. Default: true. */
  needsDatabase?: boolean;
  start(parts: NovaParts): Promise<RunningService>;
}

/** Runs one nova daemon as its program: nova.conf, database, RabbitMQ, until a signal. */
export const novaDaemon = (argv: string[], daemon: NovaDaemon): Promise<number> =>
  withNova(argv, daemon, async ({ parts, log, close }) => {
    const service = await daemon.start(parts);
    log.info('ready', { addresses: service.addresses });
    const stop = async () => {
      await service.stop();
      await close();
    };
    return runUntilSignal({ name: service.name, stop }, log);
  });

/** Runs a program of nova's that ends by itself, with what daemons have. */
export const novaTask = (
  argv: string[],
  program: string,
  run: (parts: NovaParts) => Promise<void>,
): Promise<number> =>
  withNova(argv, { program }, async ({ parts, close }) => {
    await run(parts);
    await close();
    return 0;
  });

interface Opened {
  parts: NovaParts;
  log: Logger;
  close(): Promise<void>;
}

async function withNova(
  argv: string[],
  { program, needsDatabase = true }: Pick<NovaDaemon, 'program' | 'needsDatabase'>,
  work: (opened: Opened) => Promise<number>,
): Promise<number> {
  const config = loadConfig({
    program,
    ...novaConf,
    files: ['/etc/nova/nova.conf'],
    facts: { host: hostname(), my_ip: ownAddress() },
    // Other nova programs read their sections from the same file.
    expected: group => group !== 'DEFAULT',
    argv,
    log: createLogger({ fields: { service: program } }),
  });
  if (config.wants) {
    process.stdout.write(config.wants === 'help' ? config.help() : `${RELEASE}\n`);
    return 0;
  }
  let publish = (_line: string): void => {};
  const log = programLog(config, program, { watch: line => publish(line) });
  log.debug('configuration', config.dump());
  const disks: Record<string, string> =
    program === 'nova-compute' ? { instances: config.of(novaOptions).instances_path } : {};
  const observed = await observe(config, program, { clock: systemClock, random: systemRandom, log }, disks);
  const { world } = observed;
  const db = needsDatabase ? await openNova(config, world) : undefined;
  const bus = openBus(config, world);
  const {
    publish_errors,
    notification_driver: drivers,
    notification_topics: topics,
  } = config.of(novaOptions);
  if (publish_errors) publish = errorPublisher({ bus, world, drivers, topics });
  const close = async () => {
    await bus.close();
    await db?.close();
    await observed.stop();
  };
  try {
    return await work({ parts: { config, db: db as Database, bus, world }, log, close });
  } catch (error) {
    await close();
    throw error;
  }
}

async function openNova(config: Config, world: World): Promise<Database> {
  const settings = config.of(novaOptions);
  const attempts = settings.sql_max_retries < 0 ? 1_000_000 : settings.sql_max_retries;
  const db = await openDatabase({
    connection: settings.sql_connection,
    log: world.log,
    clock: world.clock,
    name: 'nova',
    ...(world.metrics ? { metrics: world.metrics } : {}),
    waitMs: attempts * settings.sql_retry_interval * 1000,
  });
  try {
    await checkSchema(db, 'nova');
    return db;
  } catch (error) {
    await db.close();
    throw error;
  }
}

/** The bus nova.conf names: RabbitMQ, or one in this process alone (fake_rabbit). */
export function openBus(config: Config, world: World): Bus {
  const settings = config.of(novaOptions);
  if (settings.fake_rabbit) {
    return createLocalBus(world, {
      faultStatus: novaFaultStatus,
      responseTimeoutMs: settings.rpc_response_timeout * 1000,
    });
  }
  return createRabbitBus({ options: config.of(rpcOptions), world, faultStatus: novaFaultStatus });
}

/** Where a daemon runs what needs root: here, or through `root_helper` when it is somebody else. */
export function hostCommands(config: Config): Runner {
  if (process.getuid?.() === 0) return hostRunner;
  const { root_helper, rootwrap_config } = config.of(novaOptions);
  return helperRunner(rootHelper(root_helper, rootwrap_config));
}

/** The first IPv4 address that leaves this host. */
function ownAddress(): string {
  for (const addresses of Object.values(networkInterfaces())) {
    for (const { family, internal, address } of addresses ?? []) {
      if (family === 'IPv4' && !internal) return address;
    }
  }
  return '127.0.0.1';
}
