import { closeSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';
import type { Database } from '@folsom/db';
import { hostRunner } from '@folsom/host/runner';
import { volumeContract } from '@folsom/nova/rpc/volume';
import { insertVolumeSnapshot } from '@folsom/nova/volume-snapshots';
import { type VolumeStatus, volumeStatus } from '@folsom/nova/volume-state';
import { insertVolume } from '@folsom/nova/volumes';
import { createLocalBus, type LocalBus } from '@folsom/rpc';
import { eventually, SLOW, type TempDir, tempDir } from '@folsom/testing';
import { type FakeDriver, fakeDriver, fileDriver, type RunningVolume, startVolume } from '@folsom/volume';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { memoryImages, PROJECT, testConfig, testDatabase, testWorld, userContext } from './compute-cloud.ts';

/**
 * nova-volume dies before every step of everything it does: what was asked is done once its message comes again, or, where
 * no message ever comes, done or reported; no disk, file or row is left of what is gone.
 */
const IMAGE = Buffer.from('the bytes of an image');
const world = testWorld();
const to = { host: 'node1' };

const STEPS = {
  create: ['disk', 'login', 'export', 'row'],
  create_of_image: ['disk', 'login', 'export', 'row', 'image', 'filled'],
  create_of_snapshot: ['disk', 'login', 'export', 'row'],
  delete: ['export', 'disk', 'row'],
  create_snapshot: ['copy', 'row'],
  delete_snapshot: ['disk', 'row'],
  upload: ['image', 'row'],
};
type Operation = keyof typeof STEPS;

describe.each(['fake', 'file'] as const)('nova-volume with the %s driver', kind => {
  const cases = Object.entries(STEPS)
    // A gigabyte of a file is much for an image service in memory.
    .filter(([operation]) => kind === 'fake' || operation !== 'upload')
    .flatMap(([operation, steps]) => steps.map(step => [operation as Operation, step] as const))
    // Where the driver makes no difference, once is enough.
    .filter(([, step]) => kind === 'fake' || SLOW || ['disk', 'copy', 'image'].includes(step));
  let dir: TempDir;
  let db: Database;
  let bus: LocalBus;
  let images: ReturnType<typeof memoryImages>;
  let fake: FakeDriver;
  let service: RunningVolume;
  let stopAt: string | undefined;
  let reached: boolean;

  const driver = () =>
    kind === 'fake'
      ? fake
      : fileDriver({ directory: dir.path, host: 'node1', runner: hostRunner, targets: undefined });
  const start = async () => {
    service = await startVolume({
      config: testConfig({ host: 'node1', state_path: dir.path }),
      db,
      bus,
      world,
      images,
      driver: driver(),
      observe: (operation, step, id) => {
        if (`${operation}:${step}:${id}` !== stopAt) return;
        reached = true;
        return new Promise<void>(() => {});
      },
    });
  };
  beforeEach(async () => {
    dir = tempDir('volumes');
    db = await testDatabase();
    bus = createLocalBus(world);
    images = memoryImages();
    images.add({ id: 'image-1' }, IMAGE);
    images.add({ id: 'image-2', status: 'queued' });
    fake = fakeDriver();
    stopAt = undefined;
    reached = false;
    await start();
  });
  afterEach(async () => {
    await service.stop();
    await db.close();
    dir.remove();
  });

  const client = () => volumeContract.client(bus);
  const rows = (table: string) => db.knex(table).where({ deleted: 0 }).orderBy('id');
  const status = async (id: string, table = 'volumes') =>
    (await db.knex(table).where({ id }).first('status', 'deleted')) as { status: string; deleted: number };
  /** What lies on the host, by name. */
  const disks = (): string[] =>
    (kind === 'fake'
      ? [...fake.disks.keys()]
      : readdirSync(dir.path).filter(name => name.includes('-'))
    ).sort();
  const bytes = (name: string, length: number): Buffer => {
    if (kind === 'fake') return fake.disks.get(name)!.subarray(0, length);
    const file = openSync(join(dir.path, name), 'r');
    const head = Buffer.alloc(length);
    readSync(file, head);
    closeSync(file);
    return head;
  };
  const volume = async (id: string, as: VolumeStatus = volumeStatus.creating) => {
    await insertVolume(db.knex, { id, size: 1, host: 'node1', project_id: PROJECT }, world.clock.now());
    if (as === volumeStatus.creating) return;
    await client().create_volume(userContext, { volume_id: id, snapshot_id: null, image_id: 'image-1' }, to);
    await eventually(async () => (await status(id)).status).toBe('available');
    await db.knex('volumes').where({ id }).update({ status: as });
  };
  const snapshot = (id: string, volume_id: string) => {
    const row = { id, volume_id, volume_size: 1, user_id: null, project_id: PROJECT };
    return insertVolumeSnapshot(
      db.knex,
      { ...row, display_name: null, display_description: null },
      world.clock.now(),
    );
  };
  const madeSnapshot = async (id: string, volume_id: string, as: VolumeStatus = volumeStatus.available) => {
    await snapshot(id, volume_id);
    await client().create_snapshot(userContext, { volume_id, snapshot_id: id }, to);
    await eventually(async () => (await status(id, 'snapshots')).status).toBe('available');
    await db.knex('snapshots').where({ id }).update({ status: as });
  };

  /** Asks for it as the API does; gives what must be so in the end. */
  const ask: Record<Operation, () => Promise<() => Promise<unknown>>> = {
    create: async () => {
      await volume('a');
      await client().create_volume(userContext, { volume_id: 'a', snapshot_id: null, image_id: null }, to);
      return async () => [(await status('a')).status, disks()];
    },
    create_of_image: async () => {
      await volume('a');
      const args = { volume_id: 'a', snapshot_id: null, image_id: 'image-1' };
      await client().create_volume(userContext, args, to);
      return async () => [(await status('a')).status, disks()];
    },
    create_of_snapshot: async () => {
      await volume('source', 'available');
      await madeSnapshot('s', 'source');
      await volume('a');
      await client().create_volume(userContext, { volume_id: 'a', snapshot_id: 's', image_id: null }, to);
      return async () => [(await status('a')).status, disks().filter(name => name === 'volume-a')];
    },
    delete: async () => {
      await volume('a', 'deleting');
      await client().delete_volume(userContext, { volume_id: 'a' }, to);
      return async () => [(await rows('volumes')).length, disks()];
    },
    create_snapshot: async () => {
      await volume('a', 'available');
      await snapshot('s', 'a');
      await client().create_snapshot(userContext, { volume_id: 'a', snapshot_id: 's' }, to);
      return async () => [(await status('s', 'snapshots')).status, disks()];
    },
    delete_snapshot: async () => {
      await volume('a', 'available');
      await madeSnapshot('s', 'a', 'deleting');
      await client().delete_snapshot(userContext, { snapshot_id: 's' }, to);
      return async () => [(await rows('snapshots')).length, disks()];
    },
    upload: async () => {
      await volume('a', 'uploading');
      await client().copy_volume_to_image(userContext, { volume_id: 'a', image_id: 'image-2' }, to);
      return async () => [(await status('a')).status, images.stored.get('image-2')!.image.status];
    },
  };
  const DONE: Record<Operation, unknown> = {
    create: ['available', ['volume-a']],
    create_of_image: ['available', ['volume-a']],
    create_of_snapshot: ['available', ['volume-a']],
    delete: [0, []],
    create_snapshot: ['available', ['snapshot-s', 'volume-a']],
    delete_snapshot: [0, ['volume-a']],
    upload: ['available', 'active'],
  };
  it.each(cases)('%s: killed before "%s", goes on with its message', async (operation, step) => {
    const seen = await killedAt(operation, step);
    bus.crash(service.served);
    await start();
    await eventually(seen).toEqual(DONE[operation]);
    if (operation === 'create_of_image' || operation === 'create_of_snapshot')
      expect(bytes('volume-a', IMAGE.length)).toEqual(IMAGE);
    const usage = await db.knex('quota_usages').where({ resource: 'gigabytes' }).first('in_use');
    if (operation === 'delete') expect(usage?.in_use).toBe(0);
  });

  it.each(cases)(
    '%s: killed before "%s", is done or reported when no message comes',
    async (operation, step) => {
      const seen = await killedAt(operation, step);
      bus = createLocalBus(world);
      await start();
      await db.knex('volumes').update({ updated_at: '2012-01-01 00:00:00' });
      await db.knex('snapshots').update({ updated_at: '2012-01-01 00:00:00' });
      await service.tick();
      const [first] = (await seen()) as [unknown];
      const lost =
        operation.startsWith('create') && operation !== 'create_snapshot' ? ['error', 'available'] : [];
      expect([...lost, (DONE[operation] as unknown[])[0]]).toContain(first);
      expect(disks().filter(name => name.endsWith('.part'))).toEqual([]);
    },
  );

  /** Runs into the step and stays there. */
  async function killedAt(operation: Operation, step: string) {
    const made = operation.startsWith('create_of') ? 'create' : operation;
    stopAt = `${made}:${step}:${made.endsWith('snapshot') ? 's' : 'a'}`;
    const seen = await ask[operation]();
    await eventually(async () => reached).toBe(true);
    stopAt = undefined;
    return seen;
  }
});
