import { configFrom } from '@folsom/config';
import { createLogger, type RequestContext, requestContext, seededRandom, systemClock } from '@folsom/core';
import { type Database, dbSync, openDatabase } from '@folsom/db';
import { novaOptions } from '@folsom/nova/options';
import { destroyVolumeSnapshot } from '@folsom/nova/volume-snapshots';
import { markAttached, markDetached, tryMoveVolume } from '@folsom/nova/volumes';
import { createLocalBus } from '@folsom/rpc';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { novaPolicy } from '../default-policy.ts';
import type { Deps } from './deps.ts';
import { type DomainService, domainService } from './service.ts';
import { beginDetaching, reserveVolume } from './volume-attachments.ts';

const NOW = Date.UTC(2012, 8, 27);
const INSTANCE = '2f1c5d3e-0000-4000-8000-000000000001';
const world = { clock: systemClock, random: seededRandom(5), log: createLogger({ write: () => {} }) };

let db: Database;
let service: DomainService;
/** What waits for the bus. */
const sent = async () => {
  const rows = await db.knex('folsom_outbox').orderBy('id').select('topic', 'body');
  return rows.map(row => {
    const { method, args } = JSON.parse(row.body) as { method: string; args: unknown };
    return [row.topic, method, args];
  });
};
const user: RequestContext = { ...requestContext({ userId: 'u', projectId: 'p', roles: ['Member'] }) };
const other: RequestContext = { ...user, projectId: 'another' };
const admin: RequestContext = { ...user, projectId: 'admins', roles: ['admin'], isAdmin: true };
const fault = (name: string, message?: string) =>
  expect.objectContaining(message === undefined ? { name } : { name, message });

beforeEach(async () => {
  db = await openDatabase({ connection: 'sqlite://' });
  await dbSync(db, 'nova');
  const config = configFrom([novaOptions], { DEFAULT: { quota_volumes: 2, quota_gigabytes: 10 } });
  const bus = createLocalBus(world, {});
  service = domainService({ config, database: db, bus, policy: novaPolicy(), world });
});
afterEach(async () => {
  await service.stop();
  await db.close();
});

const blank = { size: 2, name: 'data', description: null };
const placed = async (context = user, more = {}) => {
  const volume = await service.domain.volumes.create(context, { ...blank, ...more });
  await db.knex('volumes').where({ id: volume.id }).update({ host: 'node1', status: 'available' });
  return volume;
};

it('writes a volume, its metadata and the message for the scheduler together', async () => {
  const { volumes } = service.domain;
  const volume = await volumes.create(user, { ...blank, size: '2', metadata: { a: 'b', constructor: 'c' } });
  expect(await sent()).toEqual([
    ['scheduler', 'create_volume', { volume_id: volume.id, snapshot_id: null, image_id: null }],
  ]);
  expect(await volumes.get(user, volume.id)).toMatchObject({
    size: 2,
    status: 'creating',
    attach_status: 'detached',
    availability_zone: 'nova',
    metadata: { a: 'b', constructor: 'c' },
    volume_type: null,
  });
  expect(await volumes.list(user, { metadata: { a: 'b' } })).toHaveLength(1);
  expect(await volumes.list(user, { metadata: { a: 'x' } })).toHaveLength(0);
  expect(await volumes.list(other)).toHaveLength(0);
  expect(await volumes.list(other, { allTenants: true })).toHaveLength(0);
  expect(await volumes.list(admin, { allTenants: true })).toHaveLength(1);
  await expect(volumes.get(other, volume.id)).rejects.toEqual(fault('VolumeNotFound'));
});

it('keeps both quotas, also of requests at the same moment', async () => {
  const { volumes } = service.domain;
  await expect(volumes.create(user, { ...blank, size: 11 })).rejects.toEqual(
    fault('VolumeSizeTooLarge', 'Maximum volume size exceeded'),
  );
  const tries = await Promise.allSettled([1, 2, 3, 4].map(() => volumes.create(user, blank)));
  expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(2);
  expect((tries.find(({ status }) => status === 'rejected') as PromiseRejectedResult).reason).toEqual(
    fault('VolumeLimitExceeded', 'Maximum number of volumes allowed (2) exceeded'),
  );
  const usage = await db.knex('quota_usages').where({ project_id: 'p' }).select('resource', 'in_use');
  expect(Object.fromEntries(usage.map(row => [row.resource, row.in_use]))).toMatchObject({
    volumes: 2,
    gigabytes: 4,
  });
  // No host was found for it: it is gone at once, and its room is there again.
  const [first] = await volumes.list(user);
  await volumes.delete(user, first!.id);
  await volumes.create(user, blank);
});

it.each([['x'], [0], [-1], [null], ['1.5'], [2 ** 31], [{}]])('refuses the size %j', async size => {
  await expect(service.domain.volumes.create(user, { ...blank, size })).rejects.toEqual(
    fault('InvalidInput'),
  );
});

it('snapshots and copies, each only while the other is there', async () => {
  const { volumes, snapshots } = service.domain;
  const volume = await placed();
  const ask = { volumeId: volume.id, name: null, description: null };
  const snapshot = await snapshots.create(user, ask);
  await expect(volumes.create(user, { ...blank, snapshotId: snapshot.id })).rejects.toEqual(
    fault('InvalidSnapshot', 'Invalid snapshot: status must be available'),
  );
  await db.knex('snapshots').update({ status: 'available' });
  await expect(volumes.create(user, { ...blank, size: 1, snapshotId: snapshot.id })).rejects.toEqual(
    fault('InvalidInput'),
  );
  const copy = await volumes.create(user, { ...blank, size: null, snapshotId: snapshot.id });
  expect(copy).toMatchObject({ size: 2, host: 'node1', snapshot_id: snapshot.id });
  expect((await sent()).at(-1)).toEqual([
    'volume.node1',
    'create_volume',
    { volume_id: copy.id, snapshot_id: snapshot.id, image_id: null },
  ]);
  await expect(volumes.delete(user, volume.id)).rejects.toEqual(
    fault('InvalidVolume', 'Invalid volume: Volume still has 1 dependent snapshots'),
  );
  // What was refused has left nothing.
  expect(await volumes.get(user, volume.id)).toMatchObject({ status: 'available', terminated_at: null });
  await expect(snapshots.delete(other, snapshot.id)).rejects.toEqual(fault('SnapshotNotFound'));
  await snapshots.delete(user, snapshot.id);
  await expect(snapshots.delete(user, snapshot.id)).rejects.toEqual(fault('InvalidVolume'));
  await destroyVolumeSnapshot(db.knex, snapshot.id, NOW);
  await volumes.delete(user, volume.id);
});

it('gives a volume to one of two, and takes it from none who has it', async () => {
  const { volumes, snapshots } = service.domain;
  const deps = { policy: novaPolicy(), clock: systemClock } as unknown as Deps;
  const volume = await placed();
  const to = { instanceUuid: INSTANCE, mountpoint: '/dev/vdb' };
  await reserveVolume(deps, user, db.knex, volume, to);
  await expect(reserveVolume(deps, user, db.knex, volume, to)).rejects.toEqual(
    fault('InvalidVolume', 'Invalid volume: status must be available'),
  );
  await expect(volumes.delete(user, volume.id)).rejects.toEqual(fault('InvalidVolume'));
  await markAttached(db.knex, volume.id, to, NOW);
  await markAttached(db.knex, volume.id, to, NOW);
  await expect(markAttached(db.knex, volume.id, { ...to, instanceUuid: 'another' }, NOW)).rejects.toEqual(
    fault('InvalidVolume', 'Invalid volume: already attached'),
  );
  await expect(volumes.delete(admin, volume.id, { force: true })).rejects.toEqual(fault('VolumeAttached'));
  const ask = { volumeId: volume.id, name: null, description: null };
  await expect(snapshots.create(user, ask)).rejects.toEqual(
    fault('InvalidVolume', 'Invalid volume: must be available'),
  );
  await snapshots.create(user, { ...ask, force: true });
  await expect(beginDetaching(deps, other, db.knex, volume)).rejects.toEqual(fault('PolicyNotAuthorized'));
  await beginDetaching(deps, user, db.knex, volume);
  expect(await tryMoveVolume(db.knex, volume.id, 'rollDetaching', NOW)).toBe(true);
  expect(await markDetached(db.knex, volume.id, NOW)).toBe(true);
  expect(await markDetached(db.knex, volume.id, NOW)).toBe(false);
  expect(await volumes.get(user, volume.id)).toMatchObject({ status: 'available', instance_uuid: null });
  await expect(beginDetaching(deps, user, db.knex, volume)).rejects.toEqual(
    fault('InvalidVolume', 'Invalid volume: already detached'),
  );
});

it('has types with extra specs, which administrators make', async () => {
  const { volumeTypes, volumes } = service.domain;
  await expect(volumeTypes.create(user, 'fast', {})).rejects.toEqual(fault('AdminRequired'));
  const type = await volumeTypes.create(admin, 'fast', { disks: 'ssd' });
  await expect(volumeTypes.create(admin, 'fast', {})).rejects.toEqual(fault('VolumeTypeExists'));
  const id = String(type.id);
  await volumeTypes.setSpecs(admin, id, { disks: 'nvme', __proto__: 'x' });
  expect((await volumeTypes.get(user, id)).extra_specs).toEqual({ disks: 'nvme' });
  const volume = await volumes.create(user, { ...blank, volumeType: 'fast' });
  expect(volume.volume_type).toBe('fast');
  await expect(volumes.create(user, { ...blank, volumeType: 'slow' })).rejects.toEqual(
    fault('VolumeTypeNotFoundByName'),
  );
  await expect(volumeTypes.setSpecs(user, id, { disks: 'mine' })).rejects.toEqual(fault('AdminRequired'));
  await volumeTypes.deleteSpec(admin, id, 'disks');
  expect((await volumeTypes.get(user, id)).extra_specs).toEqual({});
  await volumeTypes.delete(admin, id);
  await expect(volumeTypes.get(user, id)).rejects.toEqual(fault('VolumeTypeNotFound'));
  expect((await volumes.get(user, volume.id)).volume_type).toBeNull();
});
