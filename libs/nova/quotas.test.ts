import { seededRandom } from '@folsom/core';
import { type Database, dbSync, openDatabase } from '@folsom/db';
import { type MariaDb, serverMissing, startMariaDb } from '@folsom/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { refreshUsage, tenantsToRefresh, withQuota } from './quota-lock.ts';
import { COUNTED, exceeded, type Limits, QUOTA_RESOURCES, type Usages, usagesOf } from './quotas.ts';
import { commitReservations, reserve } from './reservations.ts';

const NOW = Date.UTC(2012, 8, 27);
const limits = Object.fromEntries(QUOTA_RESOURCES.map(name => [name, 10])) as Limits;

describe.each(serverMissing('mariadb') ? ['SQLite'] : ['SQLite', 'MariaDB'])('use of quotas on %s', kind => {
  let server: MariaDb | undefined;
  let db: Database;
  beforeAll(async () => {
    server = kind === 'MariaDB' ? await startMariaDb() : undefined;
    db = await openDatabase({ connection: (await server?.createDatabase('nova')) ?? 'sqlite://' });
    await dbSync(db, 'nova');
  });
  afterAll(async () => {
    await db.close();
    await server?.stop();
  });

  it('is what stands in the tables, and what is promised beside it', async () => {
    const { knex } = db;
    const instance = { project_id: 'p', vcpus: 2, memory_mb: 3, deleted: 0 };
    await knex('instances').insert([
      { ...instance, uuid: 'a' },
      { ...instance, uuid: 'b', task_state: 'spawning' },
      { ...instance, uuid: 'c', task_state: 'deleting' },
      { ...instance, uuid: 'd', project_id: 'another' },
    ]);
    await knex('security_groups').insert({ name: 'default', project_id: 'p', deleted: 0 });
    await knex('instances').insert({ ...instance, uuid: 'e', deleted: 1 });
    const address = { allocated: 1, deleted: 0 };
    await knex('fixed_ips').insert([
      { ...address, address: '10.0.0.2', instance_uuid: 'a' },
      { ...address, address: '10.0.0.3', instance_uuid: 'a', allocated: 0 },
      { ...address, address: '10.0.0.4', instance_uuid: 'd' },
      { ...address, address: '10.0.0.5', instance_uuid: 'e' },
    ]);
    const promise = { now: NOW, random: seededRandom(1), expireSeconds: 60 };
    const cores = await reserve(db, 'p', limits, { cores: 3 }, promise);
    await reserve(db, 'p', limits, { cores: 1, ram: 4 }, promise);
    const usages = await usagesOf(knex, 'p');
    expect(usages).toMatchObject({
      instances: { in_use: 2, reserved: 0 },
      cores: { in_use: 4, reserved: 4 },
      ram: { in_use: 6, reserved: 4 },
      security_groups: { in_use: 1, reserved: 0 },
      fixed_ips: { in_use: 1, reserved: 0 },
    });
    await expect(reserve(db, 'p', limits, { cores: 3 }, promise)).rejects.toMatchObject({
      name: 'OverQuota',
    });
    await commitReservations(db, cores, NOW);
    await withQuota(db, 'p', limits, { cores: 3, ram: 0 }, NOW, async () => {});
    const rows = await knex('quota_usages').where({ project_id: 'p' }).select('resource', 'in_use');
    expect(Object.fromEntries(rows.map(row => [row.resource, row.in_use]))).toMatchObject({
      cores: 7,
      ram: 6,
    });
    await refreshUsage(db, 'p', NOW);
    expect(await tenantsToRefresh(db, 10)).toEqual([]);
    for (const resource of ['cores', 'floating_ips', 'fixed_ips']) {
      await knex('quota_usages').where({ project_id: 'p', resource }).increment('in_use', 1);
      expect(await tenantsToRefresh(db, 10)).toEqual(['p']);
      await refreshUsage(db, 'p', NOW);
      expect(await tenantsToRefresh(db, 10)).toEqual([]);
    }
  });
});

describe('a limit', () => {
  const usages = (in_use: number, reserved: number) =>
    Object.fromEntries(COUNTED.map(name => [name, { in_use, reserved }])) as Usages;

  it('holds exactly as much as it says, with what is promised', () => {
    expect(exceeded(limits, usages(6, 3), { cores: 1 })).toBeUndefined();
    expect(exceeded(limits, usages(6, 3), { cores: 2, ram: 1, instances: 2 })?.overs).toEqual([
      'cores',
      'instances',
    ]);
    expect(exceeded(limits, usages(9, 0), { volumes: 1 })).toBeUndefined();
    expect(exceeded(limits, usages(10, 0), { volumes: 1 })?.overs).toEqual(['volumes']);
  });

  it('does not stop what gives something back, and -1 stops nothing', () => {
    expect(exceeded(limits, usages(20, 0), { cores: -1 })).toBeUndefined();
    expect(exceeded({ ...limits, cores: -1 }, usages(1e9, 0), { cores: 1e9 })).toBeUndefined();
    expect(exceeded({ ...limits, cores: 0 }, usages(0, 0), { cores: 1 })?.overs).toEqual(['cores']);
  });
});
