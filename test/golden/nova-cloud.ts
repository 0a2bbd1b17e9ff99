import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { TokenValidator } from '@folsom/auth';
import { startCert } from '@folsom/cert';
import { fakeDriver, imageClient, startCompute } from '@folsom/compute-agent';
import {
  DEFAULT_RATE_LIMITS,
  type Ec2ApiOptions,
  novaPolicy,
  parseRateLimits,
  type RateLimit,
  startComputeApi,
  startEc2Api,
  startVolumeApi,
} from '@folsom/compute-api';
import { configFrom } from '@folsom/config';
import { startConsoleAuth } from '@folsom/console';
import {
  createLogger,
  type Logger,
  type RunningService,
  silentLogger,
  systemClock,
  systemRandom,
  type World,
} from '@folsom/core';
import { type Database, dbSync, openDatabase } from '@folsom/db';
import { identityOptions, startIdentity } from '@folsom/identity';
import { imageDeclarations, startImageApi, startRegistry } from '@folsom/image';
import { startNetwork } from '@folsom/network';
import { novaOptions } from '@folsom/nova/options';
import { schedulerOptions, startScheduler, trustOptions } from '@folsom/scheduler';
import { fakeDriver as fakeVolumes, startVolume } from '@folsom/volume';
import { observedBus, placing, type SeenMessage } from './nova-bus.ts';
import { recordedNetworks } from './nova-networks.ts';

/**
 * The cloud that nova's recordings were made on: two hosts with the fake driver, one network without a host behind it, volumes that
 * hold nothing.
 */
export interface NovaCloud {
  ports: {
    identity: number;
    identityAdmin: number;
    image: number;
    registry: number;
    compute: number;
    /** The volume API is served where this says. */
    volume?: number;
  };
  database: Database;
  /** Starts the compute API anew with Folsom's own rate limits: the recorder's api-paste.ini had others. */
  limitRates(): Promise<void>;
  stop(): Promise<void>;
}

export interface NovaCloudOptions {
  dir: string;
  ports: NovaCloud['ports'];
  /** Who may use it; default: an identity service of its own. */
  validator?: TokenValidator;
  /** The EC2 API beside the other, and how its signatures are checked. */
  ec2?: { port: number; login: Ec2ApiOptions['login'] };
  /** Puts into nova's database what was there before the recording; the daemons of the cloud have reported by then. */
  furnish?: (database: Database) => Promise<void>;
  /** Further options of nova.conf. */
  nova?: Record<string, string | number | boolean>;
  /** Hosts by the names of instances that must get no other; those not named go where the scheduler says. */
  placement?: ReadonlyMap<string, string>;
  /** Writes a log; default none. */
  log?: 'info' | 'debug';
  /** Receives every line of a debug log instead. */
  onLine?: (line: string) => void;
  /** Sees every message of the bus, notifications too. */
  onMessage?: (message: SeenMessage) => void;
  /** Default: in memory. */
  novaDatabase?: string;
}

const HOSTS = ['oracle-host', 'oracle-host2'] as const;
/** As the recorder's api-paste.ini had it. */
const RATE_LIMITS = ['POST', 'PUT', 'DELETE'].map(verb => `(${verb}, "*", .*, 100000, MINUTE)`).join(';');

// Lists are in the order of ids, and a recording asked for two: what sorts before them must do so in every run.
const random = { ...systemRandom, uuid: () => `5f${systemRandom.uuid().slice(2)}` };

export async function startNovaCloud(options: NovaCloudOptions): Promise<NovaCloud> {
  const { dir, ports, onMessage } = options;
  const world: World = { clock: systemClock, random, log: logOf(options) };
  const started: RunningService[] = [];
  const databases: Database[] = [];
  const bus = observedBus(world, message => onMessage?.(message));
  const stop = async () => {
    for (const service of started.reverse()) await service.stop();
    await bus.close();
    for (const db of databases) await db.close();
  };
  const open: OpenDatabase = async (name, connection) => {
    const db = await openDatabase({ connection: connection ?? `sqlite:///${join(dir, `${name}.sqlite`)}` });
    databases.push(db);
    await dbSync(db, name);
    return db;
  };
  const begin = async <T extends RunningService>(service: Promise<T>): Promise<T> => {
    const running = await service;
    started.push(running);
    return running;
  };
  try {
    const validator =
      options.validator ?? (await begin(startOwnIdentity(await open('keystone'), world, ports))).validator;
    for (const service of imageServices(options, await open('glance'), world, validator))
      await begin(service());

    const nova = await open('nova', options.novaDatabase);
    const config = novaConfig(options, HOSTS[0]);
    const parts = { config, db: nova, bus, world };
    await recordedNetworks(nova, world.random, world.clock.now(), config.of(novaOptions));
    const images = imageClient({ servers: [`127.0.0.1:${ports.image}`] });
    // In the order in which the recorder's services first reported.
    await begin(startCert(parts));
    await begin(startConsoleAuth(parts));
    await begin(startVolume({ ...parts, driver: fakeVolumes(), images }));
    await begin(startNetwork(parts));
    for (const host of HOSTS) {
      const driver = fakeDriver({ host });
      await begin(startCompute({ ...parts, config: novaConfig(options, host), driver, images }));
    }
    await begin(startScheduler(parts));
    const api = {
      config,
      database: nova,
      bus: options.placement ? placing(bus, options.placement) : bus,
      validator,
      policy: novaPolicy(),
      world,
    };
    const startLimited = (rateLimits: readonly RateLimit[]) => startComputeApi({ ...api, rateLimits });
    const raised = parseRateLimits(RATE_LIMITS);
    let compute = await startLimited(raised);
    started.push({ name: 'nova-api', addresses: [], stop: () => compute.stop() });
    if (ports.volume !== undefined) await begin(startVolumeApi({ ...api, rateLimits: raised }));
    if (options.ec2)
      await begin(startEc2Api({ ...parts, database: nova, policy: novaPolicy(), login: options.ec2.login }));
    await options.furnish?.(nova);
    const limitRates = async () => {
      await compute.stop();
      compute = await startLimited(DEFAULT_RATE_LIMITS);
    };
    return { ports, database: nova, limitRates, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A database of the cloud; without a connection a file of its own. */
type OpenDatabase = (name: 'keystone' | 'glance' | 'nova', connection?: string) => Promise<Database>;

function logOf({ onLine, log }: NovaCloudOptions): Logger {
  if (onLine) return createLogger({ level: 'debug', write: onLine });
  return log ? createLogger({ level: log }) : silentLogger;
}

const startOwnIdentity = (db: Database, world: World, ports: NovaCloud['ports']) =>
  startIdentity({
    config: configFrom([...identityOptions], {
      DEFAULT: { admin_token: 'ADMIN', bind_host: '127.0.0.1', crypt_strength: '1000' },
      signing: { token_format: 'UUID' },
    }),
    db,
    bus: null,
    world,
    ports: { public: ports.identity, admin: ports.identityAdmin },
    bindHost: '127.0.0.1',
  });

/** The registry, then the API. */
function imageServices(
  { dir, ports }: NovaCloudOptions,
  db: Database,
  world: World,
  validator: TokenValidator,
) {
  mkdirSync(join(dir, 'images'), { recursive: true });
  const image = {
    config: configFrom([...imageDeclarations], {
      DEFAULT: { filesystem_store_datadir: join(dir, 'images'), scrubber_datadir: join(dir, 'scrubber') },
      paste_deploy: { flavor: 'keystone' },
    }),
    db,
    world,
    validator,
  };
  const at = (port: number) => ({ host: '127.0.0.1', port });
  return [
    () => startRegistry({ ...image, listen: at(ports.registry) }),
    () => startImageApi({ ...image, listen: at(ports.image) }),
  ];
}

const novaConfig = ({ dir, ports, ec2, nova }: NovaCloudOptions, host: string) =>
  configFrom([novaOptions, schedulerOptions, trustOptions], {
    DEFAULT: {
      host,
      my_ip: '127.0.0.1',
      state_path: join(dir, host),
      instances_path: join(dir, host, 'instances'),
      ca_path: join(dir, 'ca'),
      keys_path: join(dir, 'keys'),
      network_manager: 'nova.network.manager.FlatDHCPManager',
      fake_network: true,
      flat_network_bridge: 'br100',
      flat_interface: 'dummy0',
      firewall_driver: 'nova.virt.firewall.NoopFirewallDriver',
      osapi_compute_listen: '127.0.0.1',
      osapi_compute_listen_port: ports.compute,
      osapi_volume_listen: '127.0.0.1',
      ...(ports.volume === undefined ? {} : { osapi_volume_listen_port: ports.volume }),
      glance_api_servers: `127.0.0.1:${ports.image}`,
      ...(ec2 ? { ec2_listen: '127.0.0.1', ec2_listen_port: ec2.port } : {}),
      ...nova,
    },
  });
