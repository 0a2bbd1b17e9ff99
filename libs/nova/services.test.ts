import { createLogger, seededRandom } from '@folsom/core';
import { type Database, dbSync, openDatabase } from '@folsom/db';
import { eventually, fakeClock, type MariaDb, serverMissing, startMariaDb } from '@folsom/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  type ComputeNodeValues,
  computeNodeByHost,
  computeNodeStatistics,
  createComputeNode,
  listComputeNodes,
  replaceComputeNodeStats,
  searchComputeNodes,
  updateComputeNode,
} from './compute-nodes.ts';
import { startHeartbeat } from './service-heartbeat.ts';
import { ensureService, listServices, serviceById, serviceIsUp, setServicesDisabled } from './services.ts';

const identity = { host: 'h1', binary: 'nova-compute', topic: 'compute', availability_zone: 'nova' };
const values: ComputeNodeValues = {
  vcpus: 4,
  memory_mb: 8192,
  local_gb: 100,
  vcpus_used: 1,
  memory_mb_used: 512,
  local_gb_used: 10,
  hypervisor_type: 'QEMU',
  hypervisor_version: 7002000,
  hypervisor_hostname: 'h1.example_org',
  cpu_info: '{}',
  disk_available_least: null,
  free_ram_mb: 7680,
  free_disk_gb: 90,
  current_workload: 0,
  running_vms: 1,
};

let db: Database;
const clock = fakeClock();
const lines: string[] = [];
const world = {
  clock,
  random: seededRandom(1),
  log: createLogger({ clock, write: line => lines.push(line) }),
};

describe.each(['sqlite', 'mariadb'] as const)('on %s', kind => {
  const skipped = kind === 'mariadb' && serverMissing('mariadb');
  let server: MariaDb | undefined;
  let databases = 0;

  beforeAll(async () => {
    if (kind === 'mariadb' && !skipped) server = await startMariaDb();
  });
  afterAll(() => server?.stop());
  beforeEach(async () => {
    if (skipped) return;
    const connection = server === undefined ? 'sqlite://' : await server.createDatabase(`nova${databases++}`);
    db = await openDatabase({ connection, clock });
    await dbSync(db, 'nova');
  });
  afterEach(() => db?.close());

  describe.skipIf(skipped)('services', () => {
    it('are up by their last report, whichever clock is ahead', () => {
      const at = (updated_at: number | null) => serviceIsUp({ updated_at, created_at: 0 }, 60_000, 60_000);
      expect([at(60_000), at(0), at(120_000), at(-1), at(120_001), at(null)]).toEqual([
        true,
        true,
        true,
        false,
        false,
        true,
      ]);
    });

    it('keep their row and their disabled state when they come back', async () => {
      const first = await ensureService(db.knex, identity, clock.now());
      expect(await setServicesDisabled(db.knex, { host: 'h1', binary: 'nova-compute' }, true)).toBe(1);
      expect(await ensureService(db.knex, identity, clock.now())).toMatchObject({
        id: first.id,
        disabled: true,
      });
      expect(await listServices(db.knex, { disabled: false })).toEqual([]);
      expect(await listServices(db.knex, { topic: 'compute' })).toHaveLength(1);
    });
  });

  describe.skipIf(skipped)('the heartbeat', () => {
    it('of a service new to the database waits to be enabled, where that is asked for', async () => {
      const start = { ...identity, db, world, reportIntervalS: 0 };
      const beat = await startHeartbeat({ ...start, host: 'new', enabledAtFirst: false });
      expect((await serviceById(db.knex, beat.serviceId)).disabled).toBe(true);
      // One that comes back is as it was left.
      await db.knex('services').update({ disabled: 0 });
      const again = await startHeartbeat({ ...start, host: 'new', enabledAtFirst: false });
      expect(await serviceById(db.knex, again.serviceId)).toMatchObject({
        id: beat.serviceId,
        disabled: false,
      });
    });

    it('reports in its interval and makes a deleted row again', async () => {
      const beat = await startHeartbeat({ ...identity, db, world, reportIntervalS: 10 });
      const first = beat.serviceId;
      const count = async () => (await serviceById(db.knex, first)).report_count;
      for (const expected of [2, 3]) {
        await clock.advance(9_999);
        expect(await count()).toBe(expected - 1);
        await clock.advance(1);
        await eventually(count).toBe(expected);
      }
      expect(serviceIsUp(await serviceById(db.knex, first), clock.now(), 1000)).toBe(true);
      await db.knex('services').delete();
      await clock.advance(10_000);
      await eventually(() => listServices(db.knex)).toHaveLength(1);
      await beat.stop();
      const last = (await serviceById(db.knex, beat.serviceId)).report_count;
      await clock.advance(100_000);
      expect((await serviceById(db.knex, beat.serviceId)).report_count).toBe(last);
    });

    it('says once that the database is away, and that it is back', async () => {
      const beat = await startHeartbeat({ ...identity, db, world, reportIntervalS: 10 });
      lines.length = 0;
      let failed = 0;
      db.knex.on('query-error', () => failed++);
      await db.knex.schema.renameTable('services', 'elsewhere');
      for (let round = 1; round <= 3; round++) {
        await clock.advance(10_000);
        await eventually(() => failed).toBe(round);
      }
      await db.knex.schema.renameTable('elsewhere', 'services');
      const said = (text: string) => lines.filter(line => line.includes(text)).length;
      for (let round = 0; round < 3; round++) {
        await clock.advance(10_000);
        await eventually(() => said('answers again')).toBe(1);
      }
      await beat.stop();
      expect(said('cannot report')).toBe(1);
    });
  });

  describe.skipIf(skipped)('compute nodes', () => {
    it('come with their service and statistics', async () => {
      const service = await ensureService(db.knex, identity, clock.now());
      const id = await createComputeNode(db.knex, service.id, values, clock.now());
      await replaceComputeNodeStats(db.knex, id, { num_instances: 1, io_workload: 0 }, clock.now());
      await replaceComputeNodeStats(db.knex, id, { num_instances: 2, num_vm_active: 2 }, clock.now());
      await updateComputeNode(db.knex, id, { free_ram_mb: 7000 }, clock.now());
      const node = await computeNodeByHost(db.knex, 'h1');
      expect(node).toMatchObject({
        id,
        free_ram_mb: 7000,
        stats: { num_instances: '2', num_vm_active: '2' },
      });
      expect(node.service).toMatchObject({ host: 'h1' });
      expect(await listComputeNodes(db.knex)).toEqual([node]);
      await expect(computeNodeByHost(db.knex, 'h2')).rejects.toMatchObject({ name: 'ComputeHostNotFound' });
    });

    it('are found by a part of their name, taken literally', async () => {
      const service = await ensureService(db.knex, identity, clock.now());
      await createComputeNode(db.knex, service.id, values, clock.now());
      expect(await searchComputeNodes(db.knex, 'example_o')).toHaveLength(1);
      for (const match of ['example%', '1_e', "'"])
        expect(await searchComputeNodes(db.knex, match)).toEqual([]);
    });

    it('are summed, and nothing sums to zeros', async () => {
      expect(await computeNodeStatistics(db.knex)).toMatchObject({ count: 0, vcpus: 0 });
      const service = await ensureService(db.knex, identity, clock.now());
      for (let n = 0; n < 2; n++) await createComputeNode(db.knex, service.id, values, clock.now());
      expect(await computeNodeStatistics(db.knex)).toMatchObject({ count: 2, vcpus: 8, free_ram_mb: 15360 });
    });
  });
});
