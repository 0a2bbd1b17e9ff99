import {
  bootBody,
  DEMO,
  IMAGE,
  makeActive,
  startTestApi,
  type TestApi,
  testImage,
} from '@folsom/compute-api/testing';
import { configFrom } from '@folsom/config';
import { adminContext, type RunningService, seededRandom, silentLogger, systemClock } from '@folsom/core';
import { createComputeNode } from '@folsom/nova/compute-nodes';
import { novaOptions } from '@folsom/nova/options';
import { schedulerContract } from '@folsom/nova/rpc/scheduler';
import { ensureService } from '@folsom/nova/services';
import { createLocalBus, type LocalBus } from '@folsom/rpc';
import { schedulerOptions, startScheduler, trustOptions } from '@folsom/scheduler';
import { processorMs } from '@folsom/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/** Advisories of nova where its API and its scheduler act together, each by its number. */
describe('compute API and scheduler', () => {
  const ISOLATED = '44e03ebe-e1fd-41f9-b59e-9a411e9e2780';
  const FOREIGN = '55e03ebe-e1fd-41f9-b59e-9a411e9e2780';
  const FITTING = '66e03ebe-e1fd-41f9-b59e-9a411e9e2780';
  let test: TestApi;
  let scheduler: RunningService;
  /** The scheduler's own: the API's bus notes what it is told. */
  let bus: LocalBus;

  beforeAll(async () => {
    const world = { clock: systemClock, random: seededRandom(9), log: silentLogger };
    bus = createLocalBus(world);
    const real = schedulerContract.client(bus);
    test = await startTestApi({
      answers: { 'scheduler.check_rebuild': (context, args) => real.check_rebuild(context, args as never) },
    });
    const now = systemClock.now();
    const service = { host: 'node1', binary: 'nova-compute', topic: 'compute', availability_zone: 'nova' };
    const { id } = await ensureService(test.db.knex, service, now);
    const node = {
      ...{ vcpus: 4, memory_mb: 4096, local_gb: 100, vcpus_used: 0, memory_mb_used: 0, local_gb_used: 0 },
      ...{ hypervisor_type: 'QEMU', hypervisor_version: 1, hypervisor_hostname: 'node1', cpu_info: '{}' },
      ...{
        disk_available_least: null,
        free_ram_mb: 4096,
        free_disk_gb: 100,
        current_workload: 0,
        running_vms: 0,
      },
    };
    await createComputeNode(test.db.knex, id, node, now);
    scheduler = await startScheduler({
      config: configFrom([novaOptions, schedulerOptions, trustOptions], {
        DEFAULT: {
          host: 'sched',
          scheduler_default_filters: 'ComputeFilter,RamFilter,ImagePropertiesFilter,IsolatedHostsFilter',
          isolated_images: ISOLATED,
          isolated_hosts: 'vault',
        },
      }),
      db: test.db,
      bus,
      world,
    });
    const capabilities = { supported_instances: [['x86_64', 'qemu', 'hvm']] };
    await bus.fanout(adminContext(), 'scheduler', {
      method: 'update_service_capabilities',
      version: '2.0',
      args: { service_name: 'compute', host: 'node1', capabilities },
    });
    test.images.set(ISOLATED, testImage(ISOLATED));
    test.images.set(FOREIGN, testImage(FOREIGN, { properties: { architecture: 'sparc' } }));
    test.images.set(FITTING, testImage(FITTING, { properties: { architecture: 'x86_64' } }));
  });
  afterAll(async () => {
    await scheduler?.stop();
    await bus?.close();
    await test?.stop();
  });

  it('78: CVE-2017-16239: a rebuild with another image asks the filters that go by the image', async () => {
    const { id } = (await test.call('POST', 'servers', { body: bootBody() })).json.server;
    await makeActive(test, id);
    const rebuild = (imageRef: string) =>
      test.call('POST', `servers/${id}/action`, { body: { rebuild: { imageRef } } });
    for (const image of [ISOLATED, FOREIGN]) {
      const refused = await rebuild(image);
      expect([refused.status, refused.json.badRequest?.message]).toEqual([400, 'No valid host was found.']);
      const row = await test.db.knex('instances').where({ uuid: id }).first();
      expect(row).toMatchObject({ image_ref: IMAGE, vm_state: 'active', task_state: null });
    }
    expect(test.messages.map(({ to }) => to)).not.toContain('compute.rebuild_instance');
    // A full host is no reason: the instance has its place already.
    await test.db.knex('compute_nodes').update({ free_ram_mb: 0 });
    const given = await rebuild(FITTING);
    expect(given.status, given.text).toBe(202);
  });

  it('74: CVE-2014-3708: among 10,000 servers an address is found by an index, and nobody else is asked', async () => {
    const { knex } = test.db;
    const servers = 10_000;
    for (let from = 0; from < servers; from += 400) {
      const rows = Array.from({ length: Math.min(400, servers - from) }, (_, n) => ({
        at: from + n,
        uuid: `20000000-0000-4000-8000-${String(from + n).padStart(12, '0')}`,
      }));
      await knex('instances').insert(
        rows.map(({ uuid }) => ({
          uuid,
          project_id: DEMO,
          vm_state: 'active',
          image_ref: IMAGE,
          deleted: 0,
        })),
      );
      await knex('fixed_ips').insert(
        rows.map(({ at, uuid }) => ({
          address: `10.${at >> 8}.0.${at & 255}`,
          instance_uuid: uuid,
          deleted: 0,
        })),
      );
    }
    await knex.raw('ANALYZE');
    test.messages.length = 0;
    const statements: { sql: string; bindings: readonly unknown[] }[] = [];
    // What the daemons beside it ask now and then names neither table.
    const listen = (query: { sql: string; bindings: unknown[] }) => {
      if (/\b(fixed_ips|instances|instance_\w+)\b/.test(query.sql)) statements.push(query);
    };
    knex.on('query', listen);
    const asked = 50;
    const spent = await processorMs(async () => {
      for (let n = 0; n < asked; n++) {
        const path = `servers?all_tenants=1&fixed_ip=10.${n % 39}.0.7`;
        const found = await test.call('GET', path, { admin: true });
        expect(found.json.servers).toHaveLength(1);
      }
    });
    knex.removeListener('query', listen);
    expect(test.messages.filter(({ to }) => to.startsWith('network.'))).toEqual([]);
    expect(statements).toHaveLength(asked);
    const { sql, bindings } = statements[0]!;
    const plan = (await knex.raw(`EXPLAIN QUERY PLAN ${sql}`, bindings as never)) as { detail: string }[];
    const details = plan.map(({ detail }) => detail).join('\n');
    expect(details).toMatch(/SEARCH fixed_ips USING .*INDEX/);
    expect(details).not.toMatch(/SCAN (fixed_ips|instances)/);
    // Client and server together, and far more than it takes.
    expect(spent / asked).toBeLessThan(200);

    const matched = await test.call('GET', 'servers?all_tenants=1&ip=10.39.0', { admin: true });
    expect(matched.json.servers).toHaveLength(servers - 39 * 256);
  });
});
