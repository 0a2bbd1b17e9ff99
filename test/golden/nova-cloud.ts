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
} from '@folsom/compute-api';
import { configFrom } from '@folsom/config';
import { startConsoleAuth } from '@folsom/console';
import {
  createLogger,
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
import { createNetworks } from '@folsom/network/create-networks';
import { novaFaultStatus } from '@folsom/nova/faults';
import { createFloatingIps } from '@folsom/nova/floating-ip-blocks';
import { novaOptions } from '@folsom/nova/options';
import type { ScheduleRunArgs } from '@folsom/nova/rpc/scheduler';
import { ensureService } from '@folsom/nova/services';
import { type Bus, createLocalBus, type LocalBus, type Message } from '@folsom/rpc';
import { schedulerOptions, startScheduler, trustOptions } from '@folsom/scheduler';
import { fakeDriver as fakeVolumes, startVolume } from '@folsom/volume';

/** The cloud that nova's recordings were made on: two hosts with the fake driver, one network without a host behind it. */
export interface NovaCloud {
  ports: { identity: number; identityAdmin: number; image: number; registry: number; compute: number };
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
  onMessage?: (message: { topic: string; method: string; args: Record<string, unknown> }) => void;
  /** Default: in memory. */
  novaDatabase?: string;
}

const HOSTS = ['oracle-host', 'oracle-host2'] as const;
/** As the recorder's api-paste.ini had it. */
const RATE_LIMITS = ['POST', 'PUT', 'DELETE'].map(verb => `(${verb}, "*", .*, 100000, MINUTE)`).join(';');

// Lists are in the order of ids, and a recording asked for two: what sorts before them must do so in every run.
const random = { ...systemRandom, uuid: () => `5f${systemRandom.uuid().slice(2)}` };

export async function startNovaCloud(options: NovaCloudOptions): Promise<NovaCloud> {
  const { dir, ports } = options;
  const { onLine, onMessage } = options;
  const log = onLine
    ? createLogger({ level: 'debug', write: onLine })
    : options.log
      ? createLogger({ level: options.log })
      : silentLogger;
  const world: World = { clock: systemClock, random, log };
  const started: RunningService[] = [];
  const databases: Database[] = [];
  const plain = createLocalBus(world, { faultStatus: novaFaultStatus });
  const seen = (topic: string, { method, args }: Message) => onMessage?.({ topic, method, args });
  const bus: LocalBus = {
    ...plain,
    call: (context, topic, message, more) => {
      seen(topic, message);
      return plain.call(context, topic, message, more);
    },
    cast: (context, topic, message) => {
      seen(topic, message);
      return plain.cast(context, topic, message);
    },
    fanout: (context, topic, message) => {
      seen(topic, message);
      return plain.fanout(context, topic, message);
    },
  };
  plain.onNotification((topic, body) => onMessage?.({ topic, method: 'notification', args: body }));
  const stop = async () => {
    for (const service of started.reverse()) await service.stop();
    await bus.close();
    for (const db of databases) await db.close();
  };
  const open = async (name: 'keystone' | 'glance' | 'nova', connection: string) => {
    const db = await openDatabase({ connection });
    databases.push(db);
    await dbSync(db, name);
    return db;
  };
  const startOwnIdentity = async (): Promise<TokenValidator> => {
    const identity = await startIdentity({
      config: configFrom([...identityOptions], {
        DEFAULT: { admin_token: 'ADMIN', bind_host: '127.0.0.1', crypt_strength: '1000' },
        signing: { token_format: 'UUID' },
      }),
      db: await open('keystone', file('keystone')),
      bus: null,
      world,
      ports: { public: ports.identity, admin: ports.identityAdmin },
      bindHost: '127.0.0.1',
    });
    started.push(identity);
    return identity.validator;
  };
  const file = (name: string) => `sqlite:///${join(dir, `${name}.sqlite`)}`;
  try {
    const validator = options.validator ?? (await startOwnIdentity());

    mkdirSync(join(dir, 'images'), { recursive: true });
    const glance = await open('glance', file('glance'));
    const image = {
      config: configFrom([...imageDeclarations], {
        DEFAULT: { filesystem_store_datadir: join(dir, 'images'), scrubber_datadir: join(dir, 'scrubber') },
        paste_deploy: { flavor: 'keystone' },
      }),
      db: glance,
      world,
      validator,
    };
    const at = (port: number) => ({ host: '127.0.0.1', port });
    started.push(await startRegistry({ ...image, listen: at(ports.registry) }));
    started.push(await startImageApi({ ...image, listen: at(ports.image) }));

    const nova = await open('nova', options.novaDatabase ?? file('nova'));
    const configOf = (host: string) =>
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
          glance_api_servers: `127.0.0.1:${ports.image}`,
          ...(options.ec2 ? { ec2_listen: '127.0.0.1', ec2_listen_port: options.ec2.port } : {}),
          ...options.nova,
        },
      });
    const [first] = HOSTS;
    const config = configOf(first);
    const parts = { config, db: nova, bus, world };
    await createNetworks(
      { db: nova, random: world.random, now: world.clock.now() },
      {
        label: 'private',
        cidr: '10.0.0.0/22',
        num_networks: 1,
        network_size: 1024,
        bridge_interface: 'dummy0',
      },
      networkDefaults(config.of(novaOptions)),
    );
    // The recorder's two pools of floating addresses.
    for (const [pool, base, count] of [
      ['nova', '172.24.4.', 30],
      ['test', '172.24.5.', 6],
    ] as const) {
      const from = pool === 'nova' ? 225 : 1;
      const addresses = Array.from({ length: count }, (_none, at) => `${base}${from + at}`);
      await createFloatingIps(nova, { addresses, pool, interface: 'eth0' }, world.clock.now());
    }
    // In the order in which the recorder's services first reported.
    started.push(await startCert(parts));
    started.push(await startConsoleAuth(parts));
    const images = imageClient({ servers: [`127.0.0.1:${ports.image}`] });
    if (options.ec2) started.push(await startVolume({ ...parts, driver: fakeVolumes(), images }));
    else {
      // Its volume service is only a row here: volumes have no part in this cloud.
      const volume = { host: first, binary: 'nova-volume', topic: 'volume', availability_zone: 'nova' };
      await ensureService(nova.knex, volume, world.clock.now());
    }
    started.push(await startNetwork(parts));
    for (const host of HOSTS) {
      started.push(
        await startCompute({
          ...parts,
          config: configOf(host),
          driver: fakeDriver({ host }),
          images,
        }),
      );
    }
    started.push(await startScheduler(parts));
    const startApi = (rateLimits: readonly RateLimit[]) =>
      startComputeApi({
        config,
        database: nova,
        bus: options.placement ? placing(bus, options.placement) : bus,
        validator,
        policy: novaPolicy(),
        world,
        rateLimits,
      });
    let api = await startApi(parseRateLimits(RATE_LIMITS));
    started.push({ name: 'nova-api', addresses: [], stop: () => api.stop() });
    if (options.ec2) {
      started.push(
        await startEc2Api({ ...parts, database: nova, policy: novaPolicy(), login: options.ec2.login }),
      );
    }
    await options.furnish?.(nova);
    const limitRates = async () => {
      await api.stop();
      api = await startApi(DEFAULT_RATE_LIMITS);
    };
    return { ports, database: nova, limitRates, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The bus with hosts forced on boots, as an administrator forces them. */
function placing(bus: Bus, placement: ReadonlyMap<string, string>): Bus {
  return {
    ...bus,
    cast: (context, topic, message) => {
      const args = message.args as Partial<ScheduleRunArgs>;
      const name = args.request_spec?.instance_properties?.display_name;
      const host = name ? placement.get(name) : undefined;
      if (message.method !== 'run_instance' || host === undefined) return bus.cast(context, topic, message);
      const filter_properties = { ...args.filter_properties, force_hosts: [host] };
      return bus.cast(context, topic, { ...message, args: { ...args, filter_properties } });
    },
  };
}

const networkDefaults = (settings: Record<string, unknown>) => ({
  bridge: settings.flat_network_bridge as string,
  bridgeInterface: settings.flat_interface as string,
  numNetworks: 1,
  networkSize: 256,
  dns1: settings.flat_network_dns as string,
  multiHost: false,
});
