import { configFrom } from '@folsom/config';
import { adminContext, seededRandom, silentLogger, systemClock } from '@folsom/core';
import { dbSync, openDatabase } from '@folsom/db';
import { novaOptions } from '@folsom/nova/options';
import { schedulerContract } from '@folsom/nova/rpc/scheduler';
import type { FilterProperties, RequestSpec } from '@folsom/nova/rpc/wire';
import { ensureService } from '@folsom/nova/services';
import { createLocalBus } from '@folsom/rpc';
import { eventually } from '@folsom/testing';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { nextAttempt } from './attempts.ts';
import { schedulerOptions, startScheduler, trustOptions } from './index.ts';

const uuid = '00000000-0000-4000-8000-000000000001';
const world = { clock: systemClock, random: seededRandom(1), log: silentLogger };
const context = adminContext();
const tried = (num_attempts: number, ...hosts: string[]) => ({ num_attempts, hosts });

it('an attempt after a failed one has the next number, whoever placed that one', () => {
  expect(nextAttempt(undefined, 3, uuid)).toEqual(tried(1));
  expect(nextAttempt(tried(1, 'a'), 3, uuid)).toEqual(tried(2, 'a'));
  expect(() => nextAttempt(tried(3, 'a'), 3, uuid)).toThrow('Exceeded max scheduling attempts 3');
  expect(nextAttempt(undefined, 1, uuid), 'nothing is tried again').toBeUndefined();
  expect(() => nextAttempt(tried(1, 'a'), 1, uuid), 'by this one').toThrow(
    'Exceeded max scheduling attempts 1',
  );
  expect(nextAttempt(undefined, 3, uuid, false)).toBeUndefined();
  expect(nextAttempt(tried(1, 'a'), 3, uuid, false)).toEqual(tried(2, 'a'));
});

let parts: Awaited<ReturnType<typeof cloud>>;
const cloud = async () => {
  const db = await openDatabase({ connection: 'sqlite://' });
  await dbSync(db, 'nova');
  const bus = createLocalBus(world);
  const identity = { host: 'a', binary: 'nova-compute', topic: 'compute', availability_zone: 'nova' };
  await ensureService(db.knex, identity, systemClock.now());
  const told: FilterProperties[] = [];
  const run_instance = (_: unknown, args: { filter_properties: FilterProperties }) =>
    void told.push(args.filter_properties);
  await bus.serve({ topic: 'compute', host: 'a', handlers: { run_instance } as never });
  return { db, bus, told };
};
beforeEach(async () => {
  parts = await cloud();
});
afterEach(async () => {
  await parts.bus.close();
  await parts.db.close();
});

it('a boot that failed where the filters had placed it is placed again by the lot', async () => {
  const { db, bus, told } = parts;
  await db.knex('instances').insert({
    ...{ uuid, project_id: 'p', vm_state: 'building', task_state: 'scheduling', deleted: 0 },
    ...{ instance_type_id: 1, memory_mb: 1, vcpus: 1, root_gb: 0, ephemeral_gb: 0 },
  });
  // What the first attempt has left.
  await db.knex('folsom_placements').insert({ instance_uuid: uuid, attempt: 1, host: 'b', created_at: 0 });
  const driver = 'nova.scheduler.chance.ChanceScheduler';
  const config = configFrom([novaOptions, schedulerOptions, trustOptions], {
    DEFAULT: { host: 'control', report_interval: 0, scheduler_driver: driver },
  });
  const scheduler = await startScheduler({ config, db, bus, world });
  try {
    await schedulerContract.client(bus).run_instance(context, {
      request_spec: { instance_uuids: [uuid], instance_properties: {} } as unknown as RequestSpec,
      ...{ admin_password: null, injected_files: [], requested_networks: null, is_first_time: true },
      filter_properties: { retry: tried(1, 'b') },
    });
    await eventually(() => told).toMatchObject([{ retry: tried(2, 'b', 'a') }]);
  } finally {
    await scheduler.stop();
  }
});
