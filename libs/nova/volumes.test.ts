import { type Database, dbSync, openDatabase } from '@folsom/db';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  attachStatus,
  type VolumeMove,
  type VolumeMoveName,
  volumeMoves,
  volumeStatus,
} from './volume-state.ts';
import {
  destroyVolume,
  insertVolume,
  markAttached,
  markDetached,
  tryMoveVolume,
  volumeById,
} from './volumes.ts';

const NOW = Date.UTC(2012, 8, 27);
const ID = '2f1c5d3e-0000-4000-8000-000000000001';
const OWN = { instanceUuid: '2f1c5d3e-0000-4000-8000-00000000000a', mountpoint: '/dev/vdb' };

let db: Database;
beforeAll(async () => {
  db = await openDatabase({ connection: 'sqlite://' });
  await dbSync(db, 'nova');
});
afterAll(() => db.close());
beforeEach(async () => {
  await db.knex('volumes').delete();
  await insertVolume(db.knex, { id: ID, size: 1, project_id: 'p', host: 'node1' }, NOW);
});
const set = (columns: Record<string, unknown>) => db.knex('volumes').where({ id: ID }).update(columns);

describe('moves of a volume', () => {
  const cases = (Object.keys(volumeMoves) as VolumeMoveName[]).flatMap(name =>
    Object.values(volumeStatus).flatMap(status =>
      [attachStatus.attached, attachStatus.detached, null].map(attach => ({ name, status, attach })),
    ),
  );

  it('begin in the conditions of the table and in no other, attached or not as it says', async () => {
    expect(cases.length).toBeGreaterThan(600);
    for (const { name, status, attach } of cases) {
      const move: VolumeMove = volumeMoves[name];
      await set({ status, attach_status: attach });
      // A row of something else that says nothing is attached to nobody.
      const fits = move.attach === undefined || move.attach === (attach ?? attachStatus.detached);
      const allowed = fits && (move.from === 'any' || move.from.includes(status));
      const moved = await tryMoveVolume(db.knex, ID, name, NOW);
      const after = (await db.knex('volumes').where({ id: ID }).first('status'))!.status as string;
      expect([name, status, attach, moved, after]).toEqual([
        ...[name, status, attach, allowed],
        allowed ? move.to : status,
      ]);
    }
  });

  it('are for the host and the server that are named, and not of a volume that is gone', async () => {
    await set({ status: 'attaching', instance_uuid: OWN.instanceUuid });
    const unreserve = (condition: { host?: string | null; instanceUuid?: string }) =>
      tryMoveVolume(db.knex, ID, 'unreserve', NOW, {}, condition);
    expect(await unreserve({ host: 'node2' })).toBe(false);
    expect(await unreserve({ host: null })).toBe(false);
    expect(await unreserve({ instanceUuid: 'another' })).toBe(false);
    expect(await unreserve({ host: 'node1', instanceUuid: OWN.instanceUuid })).toBe(true);
    expect(await destroyVolume(db.knex, ID, NOW, { host: 'node2' })).toBe(false);
    expect(await destroyVolume(db.knex, ID, NOW)).toBe(true);
    expect(await tryMoveVolume(db.knex, ID, 'reserve', NOW)).toBe(false);
    await expect(volumeById(db.knex, ID)).rejects.toMatchObject({ name: 'VolumeNotFound' });
  });
});

describe('a volume that a server has', () => {
  beforeEach(() => set({ status: 'available' }));

  it("is its own, said once or twice, and no other's", async () => {
    await markAttached(db.knex, ID, OWN, NOW);
    await markAttached(db.knex, ID, OWN, NOW);
    await expect(markAttached(db.knex, ID, { ...OWN, instanceUuid: 'another' }, NOW)).rejects.toMatchObject({
      name: 'InvalidVolume',
      message: 'Invalid volume: already attached',
    });
    expect(await volumeById(db.knex, ID)).toMatchObject({
      status: 'in-use',
      instance_uuid: OWN.instanceUuid,
      attach_time: NOW,
    });
  });

  it('is not deleted under it, by force neither', async () => {
    await markAttached(db.knex, ID, OWN, NOW);
    expect(await tryMoveVolume(db.knex, ID, 'delete', NOW)).toBe(false);
    expect(await tryMoveVolume(db.knex, ID, 'forceDelete', NOW)).toBe(false);
  });

  it('is nobody’s afterwards, once', async () => {
    await markAttached(db.knex, ID, OWN, NOW);
    expect(await markDetached(db.knex, ID, NOW)).toBe(true);
    expect(await markDetached(db.knex, ID, NOW)).toBe(false);
    expect(await volumeById(db.knex, ID)).toMatchObject({
      status: 'available',
      instance_uuid: null,
      mountpoint: null,
    });
  });
});

it('a volume is looked up by tenant, where one asks', async () => {
  expect((await volumeById(db.knex, ID)).id).toBe(ID);
  expect((await volumeById(db.knex, ID, 'p')).id).toBe(ID);
  await expect(volumeById(db.knex, ID, 'another')).rejects.toMatchObject({ name: 'VolumeNotFound' });
});
