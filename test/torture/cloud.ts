import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { seededRandom, systemClock } from '@folsom/core';
import { type Database, dbSync, openDatabase } from '@folsom/db';
import { createNetworks } from '@folsom/network/create-networks';
import { createFlavor } from '@folsom/nova/flavors';
import {
  freePort,
  type LinkedHosts,
  type MariaDb,
  programArgv,
  type RabbitServer,
  startMariaDb,
  startRabbit,
  tempDir,
} from '@folsom/testing';
import { type DriverName, type Hosts, libvirtHosts, simulatedHosts } from './hosts.ts';
import { stateOf } from './hypervisor.ts';
import { type Line, line } from './line.ts';
import {
  DAEMONS,
  type DaemonName,
  type DaemonSettings,
  HOSTS,
  type Noise,
  type ToDaemon,
} from './settings.ts';
import { type SmallDisk, smallDisk } from './small-disk.ts';

/** The process that is keystone, glance and swift. */
export const FRONT = 'front';
export type ProcessName = DaemonName | typeof FRONT;
export const PROCESSES: readonly ProcessName[] = [FRONT, ...DAEMONS];

export const FLAVORS = [
  { name: 'small', memory_mb: 256, vcpus: 1 },
  { name: 'medium', memory_mb: 512, vcpus: 2 },
  { name: 'large', memory_mb: 1024, vcpus: 4 },
] as const;
/** Small enough that clients reach them. */
const QUOTA = {
  fake: { instances: 20, cores: 50, ram: 16_384 },
  libvirt: { instances: 4, cores: 12, ram: 3072 },
};
const READY_MS = 180_000;

/** A cloud of separate processes that are there to be hurt. */
export interface Cloud {
  dir: string;
  database: MariaDb;
  broker: RabbitServer;
  /** The observer's own connection to nova's database. */
  db: Database;
  identity: string;
  identityAdmin: string;
  image: string;
  objects: string;
  /** Two of them. */
  compute: readonly string[];
  adminToken: string;
  /** Disks that can be full, by whose they are; none where no file system can be mounted. */
  disks: Partial<Record<DiskOwner, SmallDisk>>;
  lines: Record<DaemonName, { database: Line; broker: Line }>;
  /** The network of the hosts, where they have one of their own. */
  links: LinkedHosts | undefined;
  driver: DriverName;
  guests: Hosts['guests'];
  packetFilter: Hosts['packetFilter'];
  kill(name: ProcessName): Promise<void>;
  signal(name: ProcessName, signal: 'SIGSTOP' | 'SIGCONT'): void;
  /** Starts one that is not there, and waits until it serves. */
  start(name: ProcessName): Promise<void>;
  tell(name: DaemonName, message: ToDaemon): void;
  /** Processes that ended by themselves. */
  died: string[];
  /** Messages that noise has held up and repeated. */
  noise: Noise;
  /** Copies what the processes have said to a place that stays; gives its path. */
  keepLogs(): Promise<string>;
  stop(): Promise<void>;
}

/** Megabytes of the disks that can be full. Below 64 free ones a service counts its disk as full. */
const DISKS = { [FRONT]: 512, database: 192, node1: 128, node2: 128, node3: 128 } as const;
export type DiskOwner = keyof typeof DISKS;

interface Running {
  child: ChildProcess;
  ended: Promise<void>;
  meant: boolean;
}

/** What a cloud stands on. */
interface Ground {
  dir: string;
  disks: Cloud['disks'];
  hosts: Hosts;
  database: MariaDb;
  broker: RabbitServer;
  connection: string;
  db: Database;
  lines: Cloud['lines'];
  links: LinkedHosts | undefined;
}

const folderOf = (dir: string, owner: DiskOwner) =>
  owner === FRONT || owner === 'database' ? join(dir, owner) : stateOf(dir, owner);
const placeOf = (name: ProcessName) => HOSTS.indexOf(name as (typeof HOSTS)[number]);

/** Disks, hosts and servers. What has been taken stands in `taken`, as ways to give it back. */
async function takeGround(driver: DriverName, taken: (() => unknown)[]): Promise<Ground> {
  const place = tempDir('torture');
  const dir = place.path;
  taken.push(() => place.remove());
  const disks: Cloud['disks'] = {};
  for (const owner of Object.keys(DISKS) as DiskOwner[]) {
    const disk = await smallDisk(folderOf(dir, owner), DISKS[owner]);
    if (disk === undefined) continue;
    taken.push(() => disk.remove());
    disks[owner] = disk;
  }
  const hosts = await { fake: simulatedHosts, libvirt: libvirtHosts }[driver](dir);
  taken.push(() => hosts.remove());
  const { links } = hosts;
  const started = async <T extends { stop(): unknown }>(starting: Promise<T>): Promise<T> => {
    const server = await starting;
    taken.push(() => server.stop());
    return server;
  };
  const starting = [started(startMariaDb(folderOf(dir, 'database'))), started(startRabbit())] as const;
  // When one of them does not start, the other is there to be stopped.
  await Promise.allSettled(starting);
  const [database, broker] = await Promise.all(starting);
  const connection = await database.createDatabase('nova');
  const db = await openDatabase({ connection });
  taken.push(() => db.close());
  await dbSync(db, 'nova');
  await populate(db, driver === 'libvirt');
  const lines = {} as Cloud['lines'];
  for (const name of DAEMONS) {
    const address = placeOf(name) < 0 ? undefined : links?.address;
    lines[name] = {
      database: await started(line(database, address)),
      broker: await started(line(broker, address)),
    };
  }
  return { dir, disks, hosts, database, broker, connection, db, lines, links };
}

export async function startCloud(options: {
  seed: number;
  portsOffset: number;
  driver?: DriverName;
}): Promise<Cloud> {
  const taken: (() => unknown)[] = [];
  const stop = async () => {
    for (const giveBack of taken.splice(0).toReversed()) await giveBack();
  };
  try {
    return await startOn(await takeGround(options.driver ?? 'fake', taken), { ...options, taken, stop });
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startOn(
  ground: Ground,
  options: {
    seed: number;
    portsOffset: number;
    driver?: DriverName;
    taken: (() => unknown)[];
    stop(): Promise<void>;
  },
): Promise<Cloud> {
  const { dir, disks, hosts, database, broker, connection, db, lines, links } = ground;
  const { driver = 'fake', stop } = options;
  const ports = { api1: await freePort(), api2: await freePort() } as Record<string, number>;
  const port = (standard: number) => standard + options.portsOffset;
  const running = new Map<ProcessName, Running>();
  const died: string[] = [];
  const noise: Noise = { late: 0, twice: 0 };
  const file = join(dir, 'settings.json');
  const state = join(dir, 'front', 'var');
  mkdirSync(join(dir, 'log'));

  const launch = (name: ProcessName): Running => {
    const words =
      name === FRONT
        ? programArgv('folsom', [
            ...['up', '--state-dir', state, '--ports-offset', String(options.portsOffset), '--no-metrics'],
            ...['--services', 'identity,image,object', '--swift-devices', '3', '--swift-replicas', '3'],
          ])
        : [
            ...hosts.enter(placeOf(name)),
            ...[process.execPath, fileURLToPath(new URL('./daemon.ts', import.meta.url)), file, name],
          ];
    const log = openSync(join(dir, 'log', name), 'a');
    const child = spawn(words[0]!, words.slice(1), {
      stdio: name === FRONT ? ['ignore', log, log] : ['ignore', log, log, 'ipc'],
      env: { PATH: process.env.PATH, HOME: process.env.HOME, LC_ALL: 'C.UTF-8' },
    });
    closeSync(log);
    const own: Running = {
      child,
      meant: false,
      ended: new Promise(resolve => {
        child.once('exit', (code, signal) => {
          if (!own.meant) died.push(`${name} ended by itself: ${signal ?? code}`);
          if (running.get(name) === own) running.delete(name);
          resolve();
        });
      }),
    };
    child.on('error', () => {});
    child.on('message', (message: Noise | 'ready') => {
      if (message === 'ready') return;
      noise.late += message.late;
      noise.twice += message.twice;
    });
    running.set(name, own);
    return own;
  };

  const start = async (name: ProcessName): Promise<void> => {
    if (running.has(name)) return;
    const own = launch(name);
    const ready =
      name === FRONT
        ? untilAnswers(`http://127.0.0.1:${port(8080)}/healthcheck`)
        : new Promise<void>(resolve => own.child.once('message', () => resolve()));
    await Promise.race([
      ready,
      own.ended.then(() =>
        Promise.reject(
          new Error(`${name} does not start:\n${readFileSync(join(dir, 'log', name), 'utf8').slice(-3000)}`),
        ),
      ),
      systemClock.sleep(READY_MS).then(() => Promise.reject(new Error(`${name} is not ready in time`))),
    ]);
  };

  const kill = async (name: ProcessName) => {
    const own = running.get(name);
    if (own === undefined) return;
    own.meant = true;
    own.child.kill('SIGKILL');
    await own.ended;
  };

  options.taken.push(async () => {
    for (const name of PROCESSES) await kill(name);
  });
  await start(FRONT);
  const glance = { host: '127.0.0.1', port: port(9292) };
  const images = links && (await line(glance, links.address));
  options.taken.push(() => images?.stop());
  const secrets = JSON.parse(readFileSync(join(state, 'secrets.json'), 'utf8')) as Record<string, string>;
  const settings: DaemonSettings = {
    ...{ seed: options.seed, dir, driver },
    connection: connection.replace(`${database.host}:${database.port}/`, 'HOST:PORT/'),
    authToken: {
      auth_host: '127.0.0.1',
      auth_port: String(port(35357)),
      auth_protocol: 'http',
      admin_user: 'nova',
      admin_password: secrets.servicePassword!,
      admin_tenant_name: 'service',
      signing_dir: join(dir, 'signing'),
    },
    nova: novaSettings(dir, port(9292), QUOTA[driver]),
    daemons: Object.fromEntries(
      DAEMONS.map(name => {
        const nova: Record<string, string | number | boolean> = name === 'scheduler2' ? { ...CHANCE } : {};
        if (ports[name] !== undefined) nova.osapi_compute_listen_port = ports[name];
        if (placeOf(name) >= 0) Object.assign(nova, hosts.nova(placeOf(name)));
        if (placeOf(name) >= 0 && images !== undefined)
          nova.glance_api_servers = `${images.host}:${images.port}`;
        const { database, broker } = lines[name];
        const at = ({ host, port }: Line) => ({ host, port });
        return [name, { nova, lines: { database: at(database), broker: at(broker) } }];
      }),
    ),
  };
  writeFileSync(file, JSON.stringify(settings), { mode: 0o600 });
  await Promise.all(DAEMONS.map(start));
  return {
    ...{ dir, database, broker, db, disks, lines, links, driver, died, noise, kill, start, stop },
    keepLogs: async () => {
      const kept = join(tmpdir(), `folsom-torture-${options.seed}`);
      await cp(join(dir, 'log'), kept, { recursive: true });
      await cp(join(state, 'log'), kept, { recursive: true });
      return kept;
    },
    identity: `http://127.0.0.1:${port(5000)}/v2.0`,
    identityAdmin: `http://127.0.0.1:${port(35357)}/v2.0`,
    image: `http://127.0.0.1:${port(9292)}`,
    objects: `http://127.0.0.1:${port(8080)}`,
    compute: [ports.api1, ports.api2].map(own => `http://127.0.0.1:${own}`),
    adminToken: secrets.adminToken!,
    guests: hosts.guests,
    packetFilter: hosts.packetFilter,
    signal: (name, signal) => void running.get(name)?.child.kill(signal),
    tell: (name, message) => void running.get(name)?.child.send(message, () => {}),
  };
}

const CHANCE = {
  scheduler_driver: 'nova.scheduler.chance.ChanceScheduler',
  compute_scheduler_driver: 'nova.scheduler.chance.ChanceScheduler',
};

const novaSettings = (dir: string, imagePort: number, quota: (typeof QUOTA)[DriverName]) => ({
  my_ip: '127.0.0.1',
  state_path: dir,
  fake_network: true,
  network_manager: 'nova.network.manager.FlatDHCPManager',
  flat_network_bridge: 'br100',
  osapi_compute_listen: '127.0.0.1',
  api_rate_limit: false,
  allow_resize_to_same_host: true,
  glance_api_servers: `127.0.0.1:${imagePort}`,
  quota_instances: quota.instances,
  quota_cores: quota.cores,
  quota_ram: quota.ram,
  reservation_expire: 60,
  running_deleted_instance_action: 'reap',
  running_deleted_instance_timeout: 20,
  running_deleted_instance_poll_interval: 5,
  image_cache_manager_interval: 0,
  report_interval: 2,
  service_down_time: 20,
  periodic_interval: 10,
  rpc_response_timeout: 30,
});

async function populate(db: Database, multiHost: boolean): Promise<void> {
  const now = systemClock.now();
  for (const [at, flavor] of FLAVORS.entries()) {
    const more = { root_gb: 1, ephemeral_gb: 0, swap: 0, rxtx_factor: 1, is_public: true };
    await createFlavor(db.knex, { ...flavor, ...more, flavorid: String(at + 101) }, now);
  }
  await createNetworks(
    { db, random: seededRandom(1), now },
    { label: 'private', cidr: '10.0.0.0/24', num_networks: 1, network_size: 256, bridge: 'br100' },
    {
      ...{ bridge: 'br100', bridgeInterface: 'eth1', numNetworks: 1, networkSize: 256 },
      ...{ dns1: '8.8.4.4', multiHost },
    },
  );
}

async function untilAnswers(url: string): Promise<void> {
  for (;;) {
    const answer = await fetch(url, { signal: AbortSignal.timeout(5000) }).catch(() => undefined);
    await answer?.arrayBuffer();
    if (answer?.ok) return;
    await systemClock.sleep(100);
  }
}
