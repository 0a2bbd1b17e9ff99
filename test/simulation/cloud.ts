import { staticValidator } from '@folsom/auth';
import { fakeDriver, startCompute } from '@folsom/compute-agent';
import { type ComputeApi, novaPolicy, startComputeApi } from '@folsom/compute-api';
import { configFrom } from '@folsom/config';
import { createLogger, seededRandom, theLoop, type World } from '@folsom/core';
import { type Database, dbSync, openDatabase } from '@folsom/db';
import type { Runner } from '@folsom/host/runner';
import { startNetwork } from '@folsom/network';
import { createNetworks } from '@folsom/network/create-networks';
import { novaFaultStatus } from '@folsom/nova/faults';
import { createFlavor } from '@folsom/nova/flavors';
import { novaOptions } from '@folsom/nova/options';
import { type Bus, createLocalBus, type Served } from '@folsom/rpc';
import { schedulerOptions, startScheduler, trustOptions } from '@folsom/scheduler';
import { type FakeClock, fakeClock, faultyBus, packetFilter, tempDir } from '@folsom/testing';
import { filteredDriver } from './filtered-driver.ts';
import { imageService } from './images.ts';
import { type Life, life, mortal, mortalClock, mortalDatabase } from './mortal.ts';

export const HOSTS = ['node1', 'node2', 'node3'] as const;
/** Two of what may be two; the schedulers choose in different ways. */
const APIS = ['api1', 'api2'] as const;
export const PROCESSES = [...APIS, 'scheduler1', 'scheduler2', 'network', ...HOSTS] as const;
export type ProcessName = (typeof PROCESSES)[number];

export const TENANTS = {
  red: {
    userId: 'user-red',
    userName: 'red',
    tenantId: 'red0'.repeat(8),
    tenantName: 'red',
    roles: ['Member'],
  },
  blue: {
    userId: 'user-blue',
    userName: 'blue',
    tenantId: 'b1ue'.repeat(8),
    tenantName: 'blue',
    roles: ['Member'],
  },
};
export type Tenant = keyof typeof TENANTS;

export const IMAGE = '11111111-1111-4111-8111-111111111111';
/** Small enough that histories reach them. */
const QUOTA = { instances: 8, cores: 20, ram: 6144 };
export const FLAVORS = [
  { name: 'small', memory_mb: 256, vcpus: 1 },
  { name: 'medium', memory_mb: 512, vcpus: 2 },
  { name: 'large', memory_mb: 1024, vcpus: 4 },
] as const;

export interface Answer {
  /** 0: the process died before it answered. */
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: answers of every shape
  json: any;
  text: string;
}

/**
 * A cloud of two APIs, two schedulers of different drivers, one network service and three compute hosts in this process, in
 * simulated time, over a bus that loses, repeats and reorders, and brings the second of a message to a twin. Every process has its own connection to the shared database and can be ended
 * between any two of its steps.
 */
export interface SimulatedCloud {
  clock: FakeClock;
  /** The observer's own connection. */
  db: Database;
  /** Guests that a host's hypervisor has; they outlive the daemon. */
  guests(host: (typeof HOSTS)[number]): Promise<string[]>;
  /** What a host lets through; it outlives the daemon as well. */
  packetFilter(host: (typeof HOSTS)[number]): Runner;
  call(tenant: Tenant, method: string, path: string, body?: unknown): Promise<Answer>;
  running(name: ProcessName): boolean;
  /** Ends a process as a power cut would. */
  kill(name: ProcessName): void;
  start(name: ProcessName): Promise<void>;
  /** No more faults of the bus from now on. */
  calm(): void;
  /** Lets simulated time pass until the promise is settled. */
  until<T>(work: Promise<T>): Promise<T>;
  /** Every line that was logged, with its simulated time. */
  log: string[];
  stop(): Promise<void>;
}

interface Process {
  life: Life;
  api?: ComputeApi;
  served: Served[];
}

export async function simulatedCloud(seed: number): Promise<SimulatedCloud> {
  const dir = tempDir('simulation');
  const connection = `sqlite:///${dir.path}/nova.sqlite`;
  let activity = 0;
  const active = () => {
    activity++;
  };
  /** Until nothing has asked the database or the bus for some turns of the loop. */
  const quiet = async () => {
    for (let still = 0, seen = activity; still < QUIET_TURNS; ) {
      await new Promise<void>(resolve => setImmediate(resolve));
      if (seen === activity && !theLoop.busy) still++;
      else still = 0;
      seen = activity;
    }
  };
  const clock = fakeClock(undefined, quiet);
  const log: string[] = [];
  const logger = createLogger({
    level: 'debug',
    write: line => void log.push(`${(clock.monotonic() / 1000).toFixed(1)} ${line}`),
  });
  const world: World = { clock, random: seededRandom(seed), log: logger };
  const db = await openDatabase({ connection });
  await dbSync(db, 'nova');
  const broker = createLocalBus(world, { faultStatus: novaFaultStatus });
  // As over RabbitMQ: who hands a message on is rid of it once the broker has it.
  const confirming: Bus = {
    ...broker,
    deliver: kept => {
      broker.deliver(kept);
      return { taken: Promise.resolve(), done: Promise.resolve({}) };
    },
  };
  let calm = false;
  const twins = seededRandom(seed + 1);
  const bus = faultyBus(confirming, {
    seed,
    clock,
    drop: 0.02,
    duplicate: 0.05,
    delay: 0.3,
    delayMs: 4000,
    twin: (topic, method) =>
      topic.startsWith('compute.') && method === 'run_instance'
        ? `compute.${HOSTS[twins.int(HOSTS.length)]}`
        : undefined,
    only: () => !calm,
  });
  const images = imageService(clock);
  images.add(IMAGE);
  const drivers = new Map(HOSTS.map(host => [host, fakeDriver({ host, memoryMb: 8192, vcpus: 16 })]));
  const filters = new Map(HOSTS.map(host => [host, packetFilter()]));
  const processes = new Map<ProcessName, Process>();
  let asked = 0;

  const configOf = (host: string) =>
    configFrom([novaOptions, schedulerOptions, trustOptions], {
      DEFAULT: {
        host,
        fake_network: true,
        network_manager: 'nova.network.manager.FlatDHCPManager',
        flat_network_bridge: 'br100',
        osapi_compute_listen: '127.0.0.1',
        osapi_compute_listen_port: 0,
        api_rate_limit: false,
        allow_resize_to_same_host: true,
        quota_instances: QUOTA.instances,
        quota_cores: QUOTA.cores,
        quota_ram: QUOTA.ram,
        // Promises of work that died are forgotten within the time that a history is given to heal.
        reservation_expire: 900,
        running_deleted_instance_action: 'reap',
        running_deleted_instance_timeout: 300,
        running_deleted_instance_poll_interval: 5,
        image_cache_manager_interval: 0,
        ...(host === 'scheduler2' ? CHANCE : {}),
        report_interval: 20,
        service_down_time: 60,
        rpc_response_timeout: 60,
      },
    });

  const start = async (name: ProcessName): Promise<void> => {
    const own = life();
    const process: Process = { life: own, served: [] };
    processes.set(name, process);
    const now = mortalClock(clock, own);
    const random = seededRandom(world.random.int(2 ** 31));
    const mine: World = { clock: now, random, log: logger.child({ process: name }) };
    const database = await mortalDatabase(connection, now, own, active);
    const line: Bus = mortal(bus, own, active);
    // A broker forgets who served it at once; what that one had not finished goes to the next.
    const serving: Bus = {
      ...Object.fromEntries(Object.keys(bus).map(key => [key, line[key as keyof Bus]])),
      serve: async options => {
        const served = await line.serve(options);
        process.served.push(served);
        return served;
      },
    } as Bus;
    const parts = {
      config: configOf(name),
      bus: serving,
      world: mine,
    };
    // One that is killed while it starts never ends starting.
    await Promise.race([run(name, process, parts, database, own), new Promise<void>(own.atEnd)]);
  };

  const run = async (
    name: ProcessName,
    process: Process,
    parts: { config: ReturnType<typeof configOf>; bus: Bus; world: World },
    database: Database,
    own: Life,
  ): Promise<void> => {
    if (name.startsWith('api')) {
      process.api = await startComputeApi({
        ...parts,
        database,
        validator: staticValidator(TENANTS),
        policy: novaPolicy(),
        images: mortal(images.forApi, own),
      });
    } else if (name.startsWith('scheduler')) await startScheduler({ ...parts, db: database });
    else if (name === 'network') await startNetwork({ ...parts, db: database });
    else {
      await startCompute({
        ...parts,
        db: database,
        driver: mortal(
          filteredDriver(drivers.get(name as 'node1')!, {
            db: database,
            host: name,
            runner: filters.get(name as 'node1')!.runner,
          }),
          own,
        ),
        images: mortal(images.forCompute, own),
      });
    }
  };

  const kill = (name: ProcessName): void => {
    const process = processes.get(name);
    if (process === undefined) return;
    processes.delete(name);
    process.life.end();
    for (const served of process.served) broker.crash(served);
    // Its sockets are the one thing that is real.
    void process.api?.app.stop();
  };

  const until = async <T>(work: Promise<T>): Promise<T> => {
    let settled = false;
    const seen = work.finally(() => {
      settled = true;
    });
    seen.catch(() => {});
    for (let waited = 0; ; waited += PACE_MS) {
      await quiet();
      if (settled) return seen;
      if (waited > PATIENCE_MS)
        throw new Error(`nothing came of it in ${PATIENCE_MS / 1000} s of simulated time`);
      await clock.advance(PACE_MS);
    }
  };

  const now = clock.now();
  for (const [at, flavor] of FLAVORS.entries()) {
    const more = {
      flavorid: String(at + 101),
      root_gb: 1,
      ephemeral_gb: 0,
      swap: 0,
      rxtx_factor: 1,
      is_public: true,
    };
    await createFlavor(db.knex, { ...flavor, ...more }, now);
  }
  await createNetworks(
    { db, random: world.random, now },
    { label: 'private', cidr: '10.0.0.0/26', num_networks: 1, network_size: 64, bridge: 'br100' },
    {
      bridge: 'br100',
      bridgeInterface: 'eth0',
      numNetworks: 1,
      networkSize: 64,
      dns1: '8.8.4.4',
      multiHost: false,
    },
  );
  for (const name of PROCESSES) await until(start(name));

  return {
    clock,
    db,
    log,
    guests: host => drivers.get(host)!.listGuests(),
    packetFilter: host => filters.get(host)!.runner,
    running: name => processes.has(name),
    kill,
    start,
    until,
    calm: () => {
      calm = true;
    },
    call: async (tenant, method, path, body) => {
      const living = APIS.map(name => processes.get(name)).filter(one => one?.api !== undefined);
      const process = living[asked++ % Math.max(living.length, 1)];
      if (process?.api === undefined || process.life.over) return { status: 0, json: undefined, text: '' };
      const died = new Promise<null>(resolve => process.life.atEnd(() => resolve(null)));
      const answer = await Promise.race([
        process.api.app.server.inject({
          method: method as 'GET',
          url: `/v2/${TENANTS[tenant].tenantId}/${path}`,
          headers: { 'x-auth-token': tenant, 'content-type': 'application/json' },
          ...(body === undefined ? {} : { payload: JSON.stringify(body) }),
        }),
        died,
      ]);
      if (answer === null) return { status: 0, json: undefined, text: '' };
      let json: unknown;
      try {
        json = JSON.parse(answer.payload);
      } catch {
        json = undefined;
      }
      return { status: answer.statusCode, json, text: answer.payload };
    },
    stop: async () => {
      for (const name of [...processes.keys()]) kill(name);
      await db.close();
      dir.remove();
    },
  };
}

const CHANCE = {
  scheduler_driver: 'nova.scheduler.chance.ChanceScheduler',
  compute_scheduler_driver: 'nova.scheduler.chance.ChanceScheduler',
};

/** Turns of the loop without a query or message after which nothing is under way. */
const QUIET_TURNS = 8;
const PACE_MS = 100;
const PATIENCE_MS = 600_000;
