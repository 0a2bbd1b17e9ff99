import { requestContext } from '@folsom/core';
import { type Database, dbSync, openDatabase } from '@folsom/db';
import { createComputeNode } from '@folsom/nova/compute-nodes';
import { ensureService } from '@folsom/nova/services';
import { type MariaDb, serverMissing, startMariaDb } from '@folsom/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Sources, sqlSources } from './sources.ts';

const NOW = Date.UTC(2012, 8, 27, 10);

describe.each(['sqlite', 'mariadb'] as const)('questions to %s', kind => {
  const skipped = kind === 'mariadb' && serverMissing('mariadb');
  let server: MariaDb | undefined;
  let db: Database;
  let sources: Sources;

  beforeAll(async () => {
    if (skipped) return;
    if (kind === 'mariadb') server = await startMariaDb();
    db = await openDatabase({ connection: (await server?.createDatabase('nova')) ?? 'sqlite://' });
    await dbSync(db, 'nova');
    sources = sqlSources(db);
    for (const host of ['a', 'b']) {
      const identity = { host, binary: 'nova-compute', topic: 'compute', availability_zone: 'z' };
      const { id } = await ensureService(db.knex, identity, NOW);
      const values = {
        vcpus: 4,
        memory_mb: 4096,
        local_gb: 100,
        vcpus_used: 1,
        memory_mb_used: 512,
        local_gb_used: 10,
        hypervisor_type: 'QEMU',
        hypervisor_version: 1,
        hypervisor_hostname: host,
        cpu_info: '{}',
        disk_available_least: null,
        free_ram_mb: 3584,
        free_disk_gb: 90,
        current_workload: 0,
        running_vms: 1,
      };
      await createComputeNode(db.knex, id, values, NOW);
    }
    const instance = {
      user_id: 'u',
      vm_state: 'active',
      memory_mb: 1,
      vcpus: 1,
      root_gb: 0,
      ephemeral_gb: 0,
      deleted: 0,
    };
    await db.knex('instances').insert([
      { ...instance, uuid: 'i1', host: 'a', project_id: 'p', instance_type_id: 1 },
      { ...instance, uuid: 'i2', host: 'b', project_id: 'q', instance_type_id: 2 },
      { ...instance, uuid: 'i3', host: null, project_id: 'p', instance_type_id: 2 },
      { ...instance, uuid: 'i4', host: 'b', project_id: 'p', instance_type_id: 1, deleted: 1 },
    ]);
    await db.knex('aggregates').insert({ id: 1, name: 'fast', availability_zone: 'z', deleted: 0 });
    await db.knex('aggregate_hosts').insert({ aggregate_id: 1, host: 'a', deleted: 0 });
    await db.knex('aggregate_metadata').insert([
      { aggregate_id: 1, key: 'ssd', value: 'true', deleted: 0 },
      { aggregate_id: 1, key: 'old', value: 'x', deleted: 1 },
    ]);
    await db.knex('volumes').insert([
      { id: 'v1', size: 10, host: 'a', deleted: 0, availability_zone: 'z' },
      { id: 'v2', size: 5, host: 'a', deleted: 0 },
      { id: 'v3', size: 7, host: null, deleted: 0 },
      { id: 'v4', size: 100, host: 'a', deleted: 1 },
    ]);
  }, 240_000);
  afterAll(async () => {
    await db?.close();
    await server?.stop();
  });

  it.skipIf(skipped)('about hypervisors', async () => {
    const nodes = await sources.computeNodes();
    expect(nodes.map(node => node.service.host)).toEqual(['a', 'b']);
    expect((await sources.computeNodes([nodes[1]!.id, 99])).map(node => node.service.host)).toEqual(['b']);
    expect(nodes[0]).toEqual({
      id: 1,
      service: { host: 'a', disabled: false, availability_zone: 'z', created_at: NOW, updated_at: null },
      vcpus: 4,
      vcpus_used: 1,
      memory_mb: 4096,
      free_ram_mb: 3584,
      local_gb: 100,
      local_gb_used: 10,
      free_disk_gb: 90,
      disk_available_least: null,
      updated_at: null,
    });
    expect(await sources.services('compute')).toHaveLength(2);
  });

  it.skipIf(skipped)('about instances, only those the caller may see', async () => {
    const member = requestContext({ projectId: 'p' });
    const all = ['i1', 'i2', 'i3', 'i4', 'none'];
    expect(await sources.hostsOfInstances(member, all)).toEqual(new Set(['a']));
    expect(await sources.hostsOfInstances(requestContext({ isAdmin: true }), all)).toEqual(
      new Set(['a', 'b']),
    );
    expect(await sources.hostsWithOtherFlavor(1)).toEqual(new Set(['b']));
  });

  it.skipIf(skipped)('about aggregates', async () => {
    expect(await sources.aggregateMetadata()).toEqual(
      new Map([['a', new Map([['ssd', new Set(['true'])]])]]),
    );
  });

  it.skipIf(skipped)('about volumes', async () => {
    expect(await sources.volumeGigabytes()).toEqual(new Map([['a', 15]]));
    expect(await sources.volume('v1')).toMatchObject({ id: 'v1', size: 10, availability_zone: 'z' });
    expect(await sources.volume('v4')).toBeUndefined();
  });
});
