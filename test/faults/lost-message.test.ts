import { fakeDriver, startCompute } from '@folsom/compute-agent';
import { Fault, systemClock } from '@folsom/core';
import { startNetwork } from '@folsom/network';
import { computeContract } from '@folsom/nova/rpc/compute';
import { networkContract } from '@folsom/nova/rpc/network';
import { type Bus, createLocalBus } from '@folsom/rpc';
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

it('a deletion whose message the broker forgets before it comes again is done all the same', async () => {
  const world = testWorld();
  let later = 0;
  const clock = {
    ...systemClock,
    now: () => systemClock.now() + later,
    monotonic: () => systemClock.monotonic() + later,
  };
  const db = await testDatabase();
  const bus = createLocalBus(world);
  // What could not be worked on is not brought again: the broker died with it.
  const forgetful: Bus = {
    ...bus,
    serve: options => bus.serve({ ...options, recovery: { passing: () => undefined } as never }),
  };
  const images = memoryImages();
  images.add({ id: 'image-1' }, Buffer.from('image'));
  const network = await startNetwork({ config: testConfig(), db, bus, world });
  await networkContract.client(bus).create_networks(admin, { label: 'private', cidr: '10.0.0.0/24' });
  const driver = fakeDriver({ host: 'node1' });
  const config = testConfig();
  const compute = await startCompute({
    ...{ config, db, bus: forgetful, world: { ...world, clock }, images, driver },
  });
  try {
    const uuid = await addInstance(db, await addFlavor(db));
    await castBoot(bus, db, uuid);
    await until(db, uuid, row => row.vm_state === 'active' && row.task_state === null);
    const { destroy } = driver;
    let tried = 0;
    driver.destroy = async () => {
      tried += 1;
      throw new Fault('HypervisorUnavailable', 500, 'nobody answers');
    };
    await db.knex('instances').where({ uuid }).update({ task_state: 'deleting' });
    const order = { instance: await wire(db, uuid) };
    await computeContract.client(bus).terminate_instance(userContext, order, { host: 'node1' });
    await expect.poll(() => tried, { timeout: 10_000 }).toBe(1);
    driver.destroy = destroy;
    // For as long as it may be on its way nobody else does it.
    later += 120_000;
    await compute.tick();
    expect((await db.knex('instances').where({ uuid }).first())!.deleted).toBe(0);
    later += 120_000;
    await compute.tick();
    await until(db, uuid, row => Number(row.deleted) !== 0);
    expect(await driver.listGuests()).toEqual([]);
  } finally {
    await compute.stop();
    await network.stop();
    await db.close();
  }
});
