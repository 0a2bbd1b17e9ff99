import { systemClock } from '@folsom/core';
import { type Database, dbSync, openDatabase } from '@folsom/db';
import { deallocateFixedIp, freeFixedIp, takeFixedIp, takeFixedIpFromPool } from '@folsom/nova/fixed-ips';
import { tryUpdateInstance } from '@folsom/nova/instances';
import { type MariaDb, serverMissing, startMariaDb } from '@folsom/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/** Two services on one MariaDB, where the look and the claim of one come between those of the other. */
describe.skipIf(serverMissing('mariadb'))('two services on one database', () => {
  const ADDRESSES = 60;
  const TAKERS = Array.from({ length: ADDRESSES }, (_, n) => `instance-${n}`);
  const AGAIN = Array.from({ length: 20 }, (_, n) => `again-${n}`);
  let server: MariaDb;
  let services: Database[];

  beforeAll(async () => {
    server = await startMariaDb();
    const connection = await server.createDatabase('nova');
    services = await Promise.all([0, 1].map(() => openDatabase({ connection })));
    await dbSync(services[0]!, 'nova');
    const { knex } = services[0]!;
    await knex('networks').insert({ id: 1, uuid: 'n', injected: 0, deleted: 0 });
    const uuids = [...TAKERS, ...AGAIN];
    await knex('instances').insert(uuids.map(uuid => ({ uuid, vm_state: 'building', deleted: 0 })));
    await knex('fixed_ips').insert(
      Array.from({ length: ADDRESSES }, (_, n) => ({
        address: `10.0.0.${n + 2}`,
        network_id: 1,
        allocated: 0,
        leased: 0,
        reserved: 0,
        deleted: 0,
      })),
    );
  }, 240_000);
  afterAll(async () => {
    for (const db of services) await db.close();
    await server.stop();
  });

  it('never give an address twice', async () => {
    const given = await Promise.all(
      TAKERS.map((instanceUuid, n) =>
        takeFixedIpFromPool(
          services[n % 2]!,
          1,
          { instanceUuid, virtualInterfaceId: n + 1 },
          systemClock.now(),
        ),
      ),
    );
    expect(new Set(given).size).toBe(ADDRESSES);
    const rows = await services[0]!.knex('fixed_ips').select('instance_uuid');
    expect(rows.map(row => row.instance_uuid).sort()).toEqual([...TAKERS].sort());
  });

  it('give one particular address to one of those who ask at once', async () => {
    const db = services[0]!;
    const row = (await db.knex('fixed_ips').first())!;
    await db.knex('fixed_ips').where({ id: row.id }).update({ allocated: 0 });
    await freeFixedIp(db, row, systemClock.now());
    const asked = await Promise.allSettled(
      AGAIN.map((instanceUuid, n) =>
        takeFixedIp(
          services[n % 2]!,
          { id: 1, uuid: 'n' },
          row.address,
          { instanceUuid, virtualInterfaceId: 100 + n },
          systemClock.now(),
        ),
      ),
    );
    expect(asked.filter(one => one.status === 'fulfilled')).toHaveLength(1);
  });

  it('free an address for the instance that had it, and not for the next one', async () => {
    const db = services[0]!;
    const row = (await db.knex('fixed_ips').first())!;
    const late = { id: row.id, instance_uuid: 'instance-that-was' };
    await deallocateFixedIp(db, late, systemClock.now());
    await freeFixedIp(db, late, systemClock.now());
    expect(await db.knex('fixed_ips').where({ id: row.id }).first('instance_uuid', 'allocated')).toEqual({
      instance_uuid: row.instance_uuid,
      allocated: 1,
    });
  });

  it('change a state only where it is as expected: no task is a state of its own', async () => {
    const { knex } = services[0]!;
    const put = (task_state: string | null) =>
      knex('instances').where({ uuid: 'i' }).update({ task_state, deleted: 0 });
    await knex('instances').insert({ uuid: 'i', vm_state: 'active', deleted: 0 });
    const move = (expectedTaskState: string | null | (string | null)[]) =>
      tryUpdateInstance(knex, 'i', { task_state: 'rebooting' }, systemClock.now(), { expectedTaskState });
    await put(null);
    expect(await move('stopping')).toBe(false);
    expect(await move(['stopping', 'starting'])).toBe(false);
    expect(await move(null)).toBe(true);
    await put('stopping');
    expect(await move(null)).toBe(false);
    expect(await move([null, 'stopping'])).toBe(true);
    await knex('instances').where({ uuid: 'i' }).update({ deleted: 1, task_state: null });
    expect(await move(null)).toBe(false);
  });
});
