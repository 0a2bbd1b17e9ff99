import { fakeDriver, startCompute } from '@folsom/compute-agent';
import { systemClock } from '@folsom/core';
import { toSqlTime } from '@folsom/db';
import { startNetwork } from '@folsom/network';
import { computeContract } from '@folsom/nova/rpc/compute';
import { networkContract } from '@folsom/nova/rpc/network';
import { createLocalBus } from '@folsom/rpc';
import { expect, it } from 'vitest';
import {
  addFlavor,
  addInstance,
  admin,
  castBoot,
  memoryImages,
  testConfig,
  testDatabase,
  testWorld,
  until,
  userContext,
  wire,
} from './compute-cloud.ts';

it('a rescue that has lasted for rescue_timeout is over, and a younger one goes on', async () => {
  const world = testWorld();
  const db = await testDatabase();
  const bus = createLocalBus(world);
  const config = testConfig({ rescue_timeout: 600 });
  const images = memoryImages();
  images.add({ id: 'image-1' }, Buffer.from('image'));
  const network = await startNetwork({ config, db, bus, world });
  await networkContract.client(bus).create_networks(admin, { label: 'private', cidr: '10.0.0.0/26' });
  const compute = await startCompute({
    config,
    db,
    bus,
    world,
    driver: fakeDriver({ host: 'node1' }),
    images,
  });
  try {
    const flavor = await addFlavor(db);
    const rescued = async (): Promise<string> => {
      const uuid = await addInstance(db, flavor);
      await castBoot(bus, db, uuid);
      await until(db, uuid, row => row.vm_state === 'active' && row.task_state === null);
      await db.knex('instances').where({ uuid }).update({ task_state: 'rescuing' });
      const message = { instance: await wire(db, uuid), rescue_password: null };
      await computeContract.client(bus).rescue_instance(userContext, message, { host: 'node1' });
      await until(db, uuid, row => row.vm_state === 'rescued' && row.task_state === null);
      return uuid;
    };
    const [old, young] = [await rescued(), await rescued()];
    const long = toSqlTime(systemClock.now() - 700_000);
    await db.knex('instances').where({ uuid: old }).update({ updated_at: long });
    await compute.tick();
    await until(db, old, row => row.vm_state === 'active' && row.task_state === null);
    const state = await db.knex('instances').where({ uuid: young }).first('vm_state', 'task_state');
    expect(state).toEqual({ vm_state: 'rescued', task_state: null });
  } finally {
    await compute.stop();
    await network.stop();
    await db.close();
  }
});
