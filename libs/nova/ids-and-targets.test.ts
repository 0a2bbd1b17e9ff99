import { type Database, dbSync, openDatabase } from '@folsom/db';
import { type MariaDb, serverMissing, startMariaDb } from '@folsom/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ec2Id, ec2ImageId, ec2InstanceId, ec2Numbers, ec2Uuids } from './ec2-ids.ts';
import { freeTargets, takeTarget, targetOf } from './iscsi-targets.ts';

const NOW = Date.UTC(2012, 8, 27);
const uuid = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;

describe.each(serverMissing('mariadb') ? ['SQLite'] : ['SQLite', 'MariaDB'])('numbers on %s', kind => {
  let server: MariaDb | undefined;
  let db: Database;
  /** Another process. */
  let other: Database;
  beforeAll(async () => {
    server = kind === 'MariaDB' ? await startMariaDb() : undefined;
    const connection = (await server?.createDatabase('nova')) ?? 'sqlite://';
    db = await openDatabase({ connection });
    await dbSync(db, 'nova');
    other = server === undefined ? db : await openDatabase({ connection });
  });
  afterAll(async () => {
    if (other !== db) await other.close();
    await db.close();
    await server?.stop();
  });

  it('of EC2 are the same whoever asks first, also at the same moment', async () => {
    const uuids = Array.from({ length: 250 }, (_, n) => uuid(n));
    const [one, two] = await Promise.all(
      [db, other].map(at => ec2Numbers(at, 'instance', [...uuids, ...uuids], NOW)),
    );
    expect(one!.size).toBe(250);
    // Whoever read between the two has the first row, too, when asked again.
    const settled = await ec2Numbers(db, 'instance', uuids, NOW);
    expect(await ec2Numbers(other, 'instance', uuids, NOW)).toEqual(settled);
    for (const seen of [one!, two!])
      expect(await ec2Uuids(db, 'instance', [...seen.values()])).toEqual(
        new Map([...seen].map(([id, number]) => [number, id])),
      );
    expect(await ec2InstanceId(db, uuid(0), NOW)).toBe(ec2Id('i', settled.get(uuid(0))!));
    expect(await ec2ImageId(db, 'aki', uuid(0), NOW)).toMatch(/^aki-[0-9a-f]{8}$/);
    expect(ec2Id('vol', 47)).toBe('vol-0000002f');
    expect(await ec2Uuids(db, 'instance', [0, -1, 2 ** 40, 999_999])).toEqual(new Map());
  });

  it('of iSCSI targets are each for one volume of a host', async () => {
    await db.knex('volumes').insert(['v0', 'v1', 'v2', 'v3', 'v9'].map(id => ({ id, deleted: 0 })));
    const take = (at: Database, host: string, volume: string) =>
      at.transaction(trx => takeTarget(trx, host, volume, 4));
    expect(await take(db, 'a', 'v0')).toBe(1);
    const taken = await Promise.all([1, 2, 3].map(n => take(n % 2 === 0 ? db : other, 'a', `v${n}`)));
    expect(taken.sort()).toEqual([2, 3, 4]);
    expect(await take(db, 'a', 'v9')).toBeUndefined();
    expect(await take(db, 'b', 'v9')).toBe(1);
    expect(await targetOf(db.knex, 'a', 'v0')).toBe(1);
    expect(await targetOf(db.knex, 'a', 'v9')).toBeUndefined();
    // Of a volume that is gone the number is free again.
    expect(await freeTargets(db.knex, 'a', new Set(['v1', 'v2', 'v3']))).toEqual([1]);
  });
});
