import { type ComputeDriver, fakeDriver, startCompute } from '@folsom/compute-agent';
import { configFrom } from '@folsom/config';
import { seededRandom } from '@folsom/core';
import type { Database } from '@folsom/db';
import { startNetwork } from '@folsom/network';
import { flavorById, flavorWire } from '@folsom/nova/flavors';
import { novaOptions } from '@folsom/nova/options';
import { networkContract } from '@folsom/nova/rpc/network';
import { schedulerContract } from '@folsom/nova/rpc/scheduler';
import { createLocalBus, type LocalBus } from '@folsom/rpc';
import { schedulerOptions, startScheduler, trustOptions } from '@folsom/scheduler';
import { faultyBus } from '@folsom/testing';
import { afterEach, beforeEach, expect, it } from 'vitest';
import {
  addFlavor,
  addInstance,
  admin,
  castBoot,
  memoryImages,
  testConfig,
  testDatabase,
  testWorld,
  userContext,
} from './compute-cloud.ts';

/** One instance, many who are told to build it: one does, and the others leave it alone. */
const HOSTS = ['node1', 'node2'] as const;
const world = testWorld();
let db: Database;
let bus: LocalBus;
let images: ReturnType<typeof memoryImages>;
let drivers: Record<(typeof HOSTS)[number], ComputeDriver>;
let flavor: number;
const running: { stop(): Promise<void> }[] = [];

beforeEach(async () => {
  db = await testDatabase();
  bus = createLocalBus(world);
  images = memoryImages();
  images.add({ id: 'image-1' }, Buffer.from('image'));
  flavor = await addFlavor(db);
  drivers = { node1: fakeDriver({ host: 'node1' }), node2: fakeDriver({ host: 'node2' }) };
  const random = seededRandom(5);
  running.push(await startNetwork({ config: testConfig(), db, bus, world }));
  const range = { label: 'private', cidr: '10.0.0.0/24' };
  await networkContract.client(bus).create_networks(admin, range);
  for (const host of HOSTS) {
    const options = { config: testConfig({ host }), db, bus, world, images, driver: drivers[host] };
    // Each step somewhere within ten milliseconds, so that every order of two hosts' steps comes up.
    const observe = () => world.clock.sleep(random.int(10));
    running.push(await startCompute({ ...options, observe }));
  }
});
afterEach(async () => {
  for (const service of running.splice(0).reverse()) await service.stop();
  await bus.close();
  await db.close();
});

/** What is wrong with instances that were each booted more than once. */
async function wrong(uuids: readonly string[]): Promise<string[]> {
  const out: string[] = [];
  const guests = {
    node1: new Set(await drivers.node1.listGuests()),
    node2: new Set(await drivers.node2.listGuests()),
  };
  for (const uuid of uuids) {
    const row = (await db.knex('instances').where({ uuid }).first())!;
    const name = `instance-${Number(row.id).toString(16).padStart(8, '0')}`;
    const on = HOSTS.filter(host => guests[host].has(name));
    const addresses = await db.knex('fixed_ips').where({ instance_uuid: uuid, allocated: 1 });
    const cards = await db.knex('virtual_interfaces').where({ instance_uuid: uuid, deleted: 0 });
    const seen = `${row.vm_state}/${row.task_state} on ${row.host}, runs on ${on}, ${addresses.length} addresses, ${cards.length} cards`;
    const wanted = `active/null on ${row.host}, runs on ${row.host}, 1 addresses, 1 cards`;
    if (row.host === null || seen !== wanted) out.push(seen);
  }
  return out;
}

/** Nothing is under way any more: every instance has come to an end, and no host works. */
async function settled(uuids: readonly string[]): Promise<void> {
  await expect
    .poll(() => db.knex('instances').whereIn('uuid', uuids).where({ vm_state: 'building' }).select('uuid'), {
      timeout: 60_000,
    })
    .toEqual([]);
  await world.clock.sleep(50);
}

it('the same boot told to two hosts at once is built by one of them, sixty times of sixty', async () => {
  const uuids: string[] = [];
  for (let n = 0; n < 60; n++) uuids.push(await addInstance(db, flavor));
  await Promise.all(uuids.flatMap(uuid => HOSTS.map(host => castBoot(bus, db, uuid, host))));
  await settled(uuids);
  expect(await wrong(uuids)).toEqual([]);
});

it('two schedulers of chance, messages that come twice and late: every instance is on one host, with its address', async () => {
  const line = faultyBus(bus, { seed: 3, clock: world.clock, duplicate: 0.5, delay: 0.5, delayMs: 20 });
  const config = configFrom([novaOptions, schedulerOptions, trustOptions], {
    DEFAULT: {
      host: 'control',
      report_interval: 0,
      scheduler_driver: 'nova.scheduler.chance.ChanceScheduler',
      compute_scheduler_driver: 'nova.scheduler.chance.ChanceScheduler',
    },
  });
  for (let n = 0; n < 2; n++) running.push(await startScheduler({ config, db, bus: line, world }));
  const type = flavorWire(await flavorById(db.knex, flavor));
  const uuids: string[] = [];
  for (let n = 0; n < 30; n++) uuids.push(await addInstance(db, flavor));
  const scheduler = schedulerContract.client(line);
  const told = uuids.flatMap(uuid => [uuid, uuid]);
  await Promise.all(
    told.map(uuid =>
      scheduler.run_instance(userContext, {
        request_spec: {
          image: images.stored.get('image-1')!.image,
          instance_properties: {} as never,
          instance_type: type,
          instance_uuids: [uuid],
        },
        admin_password: null,
        injected_files: [],
        requested_networks: null,
        is_first_time: true,
        filter_properties: {},
      }),
    ),
  );
  await settled(uuids);
  expect(await wrong(uuids)).toEqual([]);
});
