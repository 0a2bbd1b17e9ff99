import { configFrom } from '@folsom/config';
import { requestContext, seededRandom, silentLogger, systemClock, type World } from '@folsom/core';
import { type Database, dbSync, insertRows, openDatabase, toSqlTime } from '@folsom/db';
import { novaOptions } from '@folsom/nova/options';
import { schedulerContract } from '@folsom/nova/rpc/scheduler';
import type { RequestSpec } from '@folsom/nova/rpc/wire';
import { createLocalBus } from '@folsom/rpc';
import { schedulerOptions, startScheduler, trustOptions } from '@folsom/scheduler';
import { startMariaDb } from '@folsom/testing';
import { addHosts, hostName } from './boot/hosts.ts';
import type { Bench } from './run.ts';

const HOSTS = [100, 1_000, 10_000];
const BOOTS = 200;
/** How many messages nova-scheduler is given at once. */
const AT_ONCE = [1, 16];

/**
 * nova-scheduler's decisions with the default filters, from the message it takes to the message it sends: processor time of each, with
 * what the database in the same process (SQLite) takes. While it decides, hosts report as they do in a cloud.
 */
export const bench: Bench = async print => {
  for (const hosts of HOSTS) await measure('SQLite', undefined, hosts, print);
  const server = await startMariaDb().catch(() => undefined);
  if (!server) return print('MariaDB is not installed: SQLite only');
  try {
    for (const hosts of HOSTS)
      await measure('MariaDB', await server.createDatabase(`nova_${hosts}`), hosts, print);
  } finally {
    await server.stop();
  }
};

async function measure(
  name: string,
  connection: string | undefined,
  hosts: number,
  print: (line: string) => void,
): Promise<void> {
  const world: World = { clock: systemClock, random: seededRandom(1), log: silentLogger };
  const db = await openDatabase({ connection: connection ?? 'sqlite://' });
  await dbSync(db, 'nova');
  await addHosts(db, hosts);
  const bus = createLocalBus(world);
  let taken = 0;
  let wanted = 0;
  let done: () => void = () => {};
  for (let at = 0; at < hosts; at++) {
    const run_instance = () => {
      if (++taken === wanted) done();
    };
    await bus.serve({ topic: 'compute', host: hostName(at), handlers: { run_instance } as never });
  }
  const config = configFrom([novaOptions, schedulerOptions, trustOptions], { DEFAULT: { host: 'bench' } });
  const service = await startScheduler({ config, db, bus, world });
  const context = requestContext({ userId: 'u', projectId: 'p', roles: [] });
  const client = schedulerContract.client(bus);
  const statements = { count: 0 };
  db.knex.on('query', () => statements.count++);
  const reporting = setInterval(() => void report(db, hosts), 100);
  try {
    let first = 0;
    for (const clients of AT_ONCE) {
      const uuids = await addInstances(db, first, BOOTS);
      first += BOOTS;
      const times: number[] = [];
      statements.count = 0;
      const cpu = process.cpuUsage();
      const from = performance.now();
      for (let at = 0; at < BOOTS; at += clients) {
        const begun = performance.now();
        const together = uuids.slice(at, at + clients);
        taken = 0;
        wanted = together.length;
        const all = new Promise<void>(resolve => {
          done = resolve;
        });
        for (const uuid of together) {
          await client.run_instance(context, {
            request_spec: specOf(uuid),
            filter_properties: {},
            admin_password: 'p',
            injected_files: [],
            requested_networks: null,
            is_first_time: true,
          });
        }
        await all;
        times.push(performance.now() - begun);
      }
      const seconds = (performance.now() - from) / 1_000;
      const { user, system } = process.cpuUsage(cpu);
      times.sort((a, b) => a - b);
      print(
        `${name}, ${hosts} hosts, ${clients} at once: ${(BOOTS / seconds).toFixed(0)} decisions/s, p50 ${times[times.length >> 1]!.toFixed(1)} ms, ${((user + system) / 1_000 / BOOTS).toFixed(2)} ms of processor and ${(statements.count / BOOTS).toFixed(1)} statements each`,
      );
    }
  } finally {
    clearInterval(reporting);
    await service.stop();
    await bus.close();
    await db.close();
  }
}

let reported = 0;
/** A tenth of a second of the hosts' reports: each every ten seconds. */
async function report(db: Database, hosts: number): Promise<void> {
  const now = toSqlTime(Date.now());
  const ids = Array.from({ length: Math.ceil(hosts / 100) }, () => (reported++ % hosts) + 1);
  await db.knex('services').whereIn('id', ids).update({ updated_at: now });
}

async function addInstances(db: Database, first: number, count: number): Promise<string[]> {
  const uuids = Array.from(
    { length: count },
    (_, at) => `20000000-0000-4000-8000-${String(first + at).padStart(12, '0')}`,
  );
  await insertRows(
    db.knex,
    'instances',
    uuids.map(uuid => ({
      uuid,
      project_id: 'p',
      user_id: 'u',
      instance_type_id: 2,
      image_ref: 'image',
      vm_state: 'building',
      task_state: 'scheduling',
      power_state: 0,
      memory_mb: 512,
      vcpus: 1,
      root_gb: 0,
      ephemeral_gb: 0,
      deleted: 0,
      created_at: toSqlTime(Date.now()),
    })),
  );
  return uuids;
}

const specOf = (uuid: string): RequestSpec =>
  ({
    image: { id: 'image', properties: {} },
    instance_type: {
      id: 2,
      name: 'm1.tiny',
      memory_mb: 512,
      vcpus: 1,
      root_gb: 0,
      ephemeral_gb: 0,
      extra_specs: {},
    },
    instance_uuids: [uuid],
    instance_properties: { image_ref: 'image', memory_mb: 512, vcpus: 1, root_gb: 0, ephemeral_gb: 0 },
  }) as unknown as RequestSpec;
