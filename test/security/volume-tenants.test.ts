import { fakeDriver, startCompute } from '@folsom/compute-agent';
import { startNetwork } from '@folsom/network';
import { computeContract } from '@folsom/nova/rpc/compute';
import { networkContract } from '@folsom/nova/rpc/network';
import { createLocalBus } from '@folsom/rpc';
import { expect, it } from 'vitest';
import {
  addFlavor,
  addInstance,
  addVolume,
  admin,
  castBoot,
  mapVolume,
  memoryImages,
  testConfig,
  testDatabase,
  testWorld,
  until,
  userContext,
  volumeStand,
  wire,
} from '../faults/compute-cloud.ts';

it("a host neither attaches nor deletes another tenant's volume, whatever a mapping says", async () => {
  const world = testWorld();
  const db = await testDatabase();
  const bus = createLocalBus(world);
  const images = memoryImages();
  images.add({ id: 'image-1' }, Buffer.from('image'));
  const volumes = await volumeStand(bus, db);
  const network = await startNetwork({ config: testConfig(), db, bus, world });
  await networkContract.client(bus).create_networks(admin, { label: 'private', cidr: '10.0.0.0/24' });
  const driver = fakeDriver({ host: 'node1' });
  const compute = await startCompute({ config: testConfig(), db, bus, world, images, driver });
  try {
    const uuid = await addInstance(db, await addFlavor(db));
    const [own, theirs] = [await addVolume(db), await addVolume(db)];
    await db
      .knex('volumes')
      .where({ id: theirs })
      .update({ project_id: 'o'.repeat(32) });
    const goes = { delete_on_termination: 1 };
    await mapVolume(db, uuid, own, { ...goes, device_name: '/dev/vdb' });
    await mapVolume(db, uuid, theirs, { ...goes, device_name: '/dev/vdc' });
    await castBoot(bus, db, uuid);
    await until(db, uuid, row => row.vm_state === 'error' && row.task_state === null);
    expect(volumes.connections.get(theirs)).toBeUndefined();
    await db.knex('instances').where({ uuid }).update({ host: 'node1', task_state: 'deleting' });
    const order = { instance: await wire(db, uuid) };
    await computeContract.client(bus).terminate_instance(userContext, order, { host: 'node1' });
    await until(db, uuid, row => Number(row.deleted) !== 0);
    const volume = (id: string) => db.knex('volumes').where({ id }).first();
    expect(await volume(theirs)).toMatchObject({ status: 'available', deleted: 0 });
    // What is the tenant's own goes.
    expect(await volume(own)).not.toMatchObject({ status: 'available', deleted: 0 });
  } finally {
    await compute.stop();
    await network.stop();
    await volumes.stop();
    await db.close();
  }
});
