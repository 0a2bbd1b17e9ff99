import { configFrom } from '@folsom/config';
import { type Logger, type RunningService, requestContext, seededRandom, silentLogger } from '@folsom/core';
import { type Database, dbSync, openDatabase, toSqlTime } from '@folsom/db';
import { createComputeNode } from '@folsom/nova/compute-nodes';
import { novaOptions } from '@folsom/nova/options';
import { schedulerContract } from '@folsom/nova/rpc/scheduler';
import type { FilterProperties, FlavorWire, InstanceWire, RequestSpec } from '@folsom/nova/rpc/wire';
import { ensureService, setServicesDisabled } from '@folsom/nova/services';
import { createLocalBus, type LocalBus } from '@folsom/rpc';
import { type FakeClock, fakeClock } from '@folsom/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { schedulerOptions, startScheduler, trustOptions } from './index.ts';
import { flavor, instanceRow, spec } from './test-requests.ts';

const context = requestContext({ userId: 'u', projectId: 'p', roles: ['Member'] });
const log: Logger = silentLogger;

let clock: FakeClock;
let db: Database;
let bus: LocalBus;
let service: RunningService | undefined;
/** What reached nova-compute of each host. */
let received: { host: string; method: string; args: Record<string, never>; isAdmin: boolean }[];
let notified: string[];
let statements: number;

beforeEach(async () => {
  clock = fakeClock();
  db = await openDatabase({ connection: 'sqlite://', clock });
  await dbSync(db, 'nova');
  bus = createLocalBus({ clock, random: seededRandom(1), log });
  received = [];
  notified = [];
  statements = 0;
  db.knex.on('query', () => statements++);
  bus.onNotification((key, body) => notified.push(`${key} ${body.event_type}`));
});

afterEach(async () => {
  await service?.stop();
  service = undefined;
  await bus.close();
  await db.close();
});

async function start(values: Record<string, string> = {}): Promise<void> {
  const config = configFrom([novaOptions, schedulerOptions, trustOptions], {
    DEFAULT: {
      host: 'sched',
      notification_driver: 'nova.openstack.common.notifier.rabbit_notifier',
      ...values,
    },
  });
  service = await startScheduler({ config, db, bus, world: { clock, random: seededRandom(2), log } });
}

interface HostFacts {
  ram?: number;
  zone?: string;
  up?: boolean;
}

async function addHost(
  host: string,
  { ram = 4096, zone = 'nova', up = true }: HostFacts = {},
): Promise<number> {
  const identity = { host, binary: 'nova-compute', topic: 'compute', availability_zone: zone };
  const { id } = await ensureService(db.knex, identity, clock.now() - (up ? 0 : 3_600_000));
  await createComputeNode(
    db.knex,
    id,
    {
      vcpus: 4,
      memory_mb: ram,
      local_gb: 100,
      vcpus_used: 0,
      memory_mb_used: 0,
      local_gb_used: 0,
      hypervisor_type: 'fake',
      hypervisor_version: 1,
      hypervisor_hostname: host,
      cpu_info: '{}',
      disk_available_least: null,
      free_ram_mb: ram,
      free_disk_gb: 100,
      current_workload: 0,
      running_vms: 0,
    },
    clock.now(),
  );
  const note = (method: string) => (by: { isAdmin: boolean }, args: Record<string, never>) =>
    void received.push({ host, method, args, isAdmin: by.isAdmin });
  await bus.serve({
    topic: 'compute',
    host,
    handlers: {
      run_instance: note('run_instance'),
      prep_resize: note('prep_resize'),
      live_migration: note('live_migration'),
      check_can_live_migrate_destination: () => ({ from: host }),
      publish_service_capabilities: note('publish_service_capabilities'),
    } as never,
  });
  return id;
}

async function addInstance(n: number, changes: Record<string, unknown> = {}): Promise<string> {
  const row = instanceRow(n, clock.now(), changes);
  await db.knex('instances').insert(row);
  return row.uuid;
}

async function run(request: RequestSpec, filter_properties: FilterProperties = {}): Promise<void> {
  await schedulerContract.client(bus).run_instance(context, {
    request_spec: request,
    filter_properties,
    admin_password: 'secret',
    injected_files: [],
    requested_networks: null,
    is_first_time: true,
  });
  await settled();
}

/** Casts have been handled when a call behind them has been answered. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await new Promise(resolve => setImmediate(resolve));
}

const rowOf = async (uuid: string) => (await db.knex('instances').where({ uuid }).first())!;
const faultsOf = (uuid: string) => db.knex('instance_faults').where({ instance_uuid: uuid });
const sentTo = () => received.filter(({ method }) => method === 'run_instance').map(({ host }) => host);

describe('a boot', () => {
  it('goes to the host with most memory, with all that compute needs', async () => {
    await addHost('small', { ram: 2048 });
    await addHost('large', { ram: 8192 });
    await start();
    const uuid = await addInstance(1);
    await run(spec([uuid]), { scheduler_hints: {} });
    const sent = received.find(({ method }) => method === 'run_instance');
    expect(sent).toMatchObject({ host: 'large', isAdmin: true });
    const args = sent?.args as unknown as {
      instance: InstanceWire;
      filter_properties: FilterProperties;
      admin_password: string;
    };
    expect(args.instance).toMatchObject({ uuid, host: null, task_state: 'scheduling' });
    expect(args.instance.scheduled_at).not.toBeNull();
    expect(args.admin_password).toBe('secret');
    expect(Object.keys(args.filter_properties).sort()).toEqual([
      'config_options',
      'instance_type',
      'limits',
      'request_spec',
      'retry',
      'scheduler_hints',
    ]);
    expect(args.filter_properties.limits).toEqual({ memory_mb: 8192 * 1.5 });
    expect(args.filter_properties.retry).toEqual({ num_attempts: 1, hosts: ['large'] });
    expect(notified).toEqual([
      'notifications.info scheduler.run_instance.start',
      'notifications.info scheduler.run_instance.scheduled',
      'notifications.info scheduler.run_instance.end',
    ]);
  });

  it('counts what it has placed, within one request and between requests', async () => {
    await addHost('a', { ram: 4096 });
    await addHost('b', { ram: 4000 });
    await start();
    const uuids = await Promise.all([1, 2, 3, 4].map(n => addInstance(n)));
    await run(spec(uuids));
    expect(sentTo().sort()).toEqual(['a', 'a', 'b', 'b']);
    await run(spec([await addInstance(5)]));
    expect(sentTo().at(-1)).toBe('a');
  });

  it('fills first when told so', async () => {
    await addHost('a', { ram: 4096 });
    await addHost('b', { ram: 2048 });
    await start({ compute_fill_first_cost_fn_weight: '1' });
    for (const n of [1, 2]) await run(spec([await addInstance(n)]));
    expect(sentTo()).toEqual(['b', 'b']);
  });

  it('that every host refused for one cause names it, and only if it is the request’s', async () => {
    await start();
    const failedBuild = (uuid: string, code: number, details: string) =>
      db.knex('instance_faults').insert({ instance_uuid: uuid, deleted: 0, code, message: 'Why', details });
    const [one, two, three] = [await addInstance(1), await addInstance(2), await addInstance(3)];
    for (const uuid of [one, two])
      await failedBuild(uuid, 400, 'Image i is unacceptable: it has a backing file');
    await failedBuild(two, 400, 'something else');
    await failedBuild(three, 500, 'an inner error');
    for (const uuid of [one, two, three]) await run(spec([uuid]));
    const last = async (uuid: string) => (await faultsOf(uuid)).at(-1);
    expect(await last(one)).toMatchObject({
      message: 'NoValidHost: Image i is unacceptable: it has a backing file',
      details: expect.stringContaining('Every build failed alike'),
    });
    expect(await last(two)).toMatchObject({ message: 'NoValidHost' });
    expect(await last(three)).toMatchObject({ message: 'NoValidHost' });
  });

  it('that finds no host ends in ERROR with a record of what each filter removed', async () => {
    await addHost('other-zone', { zone: 'z2' });
    await addHost('small', { ram: 100 });
    await addHost('down', { up: false });
    await start({ notify_on_state_change: 'vm_state' });
    const uuid = await addInstance(1);
    await run(spec([uuid], { availability_zone: 'nova' }));
    expect(await rowOf(uuid)).toMatchObject({ vm_state: 'error', task_state: null });
    const [fault] = await faultsOf(uuid);
    expect(fault).toMatchObject({ code: 500, message: 'NoValidHost' });
    expect(fault!.details).toBe(
      'No valid host was found. 3 hosts considered: RetryFilter removed 0, AvailabilityZoneFilter removed 1, ' +
        'RamFilter removed 1, ComputeFilter removed 1, ComputeCapabilitiesFilter removed 0, ImagePropertiesFilter removed 0.',
    );
    expect(notified.slice(-3, -1)).toEqual([
      'notifications.info compute.instance.update',
      'notifications.error scheduler.run_instance',
    ]);
  });

  it('of several gives as many as fit, and the rest a record', async () => {
    await addHost('a', { ram: 700 });
    await start();
    const uuids = [await addInstance(1), await addInstance(2), await addInstance(3)];
    await run(spec(uuids));
    expect(sentTo()).toEqual(['a', 'a']);
    expect(await rowOf(uuids[2]!)).toMatchObject({ vm_state: 'error' });
    expect((await faultsOf(uuids[2]!))[0]!.details).toContain('RamFilter removed 1');
  });

  it('says when no host has ever reported', async () => {
    await start();
    const uuid = await addInstance(1);
    await run(spec([uuid]));
    expect((await faultsOf(uuid))[0]!.details).toBe(
      'No valid host was found. No compute host has reported yet.',
    );
  });

  it('stays away from a disabled service', async () => {
    await addHost('a');
    await addHost('b', { ram: 1024 });
    await start();
    await setServicesDisabled(db.knex, { host: 'a', binary: 'nova-compute' }, true);
    await run(spec([await addInstance(1)]));
    expect(sentTo()).toEqual(['b']);
  });

  it('is tried again elsewhere, but not for ever', async () => {
    await addHost('a', { ram: 8192 });
    await addHost('b', { ram: 4096 });
    await start();
    const uuid = await addInstance(1);
    const retry = (num_attempts: number, hosts: string[]) => ({ retry: { num_attempts, hosts } });
    await run(spec([uuid]), retry(1, ['a']));
    expect(sentTo()).toEqual(['b']);
    expect(received.at(-1)?.args).toMatchObject({
      filter_properties: { retry: { num_attempts: 2, hosts: ['a', 'b'] } },
    });
    await run(spec([uuid]), retry(2, ['a', 'b']));
    expect((await faultsOf(uuid))[0]!.details).toContain('RetryFilter removed 2');
    const last = await addInstance(2);
    await run(spec([last]), retry(3, ['a', 'b']));
    expect((await faultsOf(last))[0]!.details).toContain('Exceeded max scheduling attempts 3');
  });

  it('goes where an administrator says, past every filter', async () => {
    await addHost('a');
    await addHost('tiny', { ram: 1, zone: 'z' });
    await start();
    await run(spec([await addInstance(1)], { availability_zone: 'nova' }), { force_hosts: ['tiny'] });
    expect(sentTo()).toEqual(['tiny']);
    const uuid = await addInstance(2);
    await run(spec([uuid]), { force_hosts: ['nowhere'] });
    expect((await faultsOf(uuid))[0]!.details).toContain('force_hosts removed 2');
  });

  it('is not sent twice, nor once deleted', async () => {
    await addHost('a');
    await start();
    const running = await addInstance(1, { task_state: 'spawning', host: 'a' });
    const deleted = await addInstance(2, { task_state: 'deleting' });
    await run(spec([running, deleted]));
    expect(sentTo()).toEqual([]);
    expect(await rowOf(running)).toMatchObject({ task_state: 'spawning', host: 'a' });
    expect(await rowOf(deleted)).toMatchObject({ vm_state: 'building', task_state: 'deleting' });
  });

  it('asks the database the same few questions whatever the number of hosts', async () => {
    for (let n = 0; n < 3; n++) await addHost(`h${n}`);
    await start();
    const count = async (n: number) => {
      const uuid = await addInstance(n);
      const before = statements;
      await run(spec([uuid]));
      return statements - before;
    };
    const few = await count(1);
    for (let n = 3; n < 40; n++) await addHost(`h${n}`);
    expect(await count(2)).toBe(few);
  });

  it('meets capabilities that hosts broadcast', async () => {
    await addHost('a');
    await addHost('b', { ram: 1024 });
    await start();
    await bus.fanout(context, 'scheduler', {
      method: 'update_service_capabilities',
      version: '2.0',
      args: { service_name: 'compute', host: 'b', capabilities: { gpu: 'yes' } },
    });
    await settled();
    await run(spec([await addInstance(1)], {}, { ...flavor, extra_specs: { gpu: 'yes' } }));
    expect(sentTo()).toEqual(['b']);
    expect(received.filter(({ method }) => method === 'publish_service_capabilities')).toEqual([]);
  });
});

describe('a resize', () => {
  const resize = async (uuid: string, filter_properties: FilterProperties = {}) => {
    await schedulerContract.client(bus).prep_resize(context, {
      instance: { uuid, host: 'a' } as unknown as InstanceWire,
      instance_type: flavor as unknown as FlavorWire,
      image: {} as never,
      request_spec: spec([uuid]),
      filter_properties,
      reservations: ['r1'],
    });
    await settled();
  };

  it('asks the chosen host to prepare', async () => {
    await addHost('a');
    await addHost('b', { ram: 1024 });
    await start();
    await resize(await addInstance(1, { vm_state: 'active', task_state: 'resize_prep' }), {
      ignore_hosts: ['a'],
    });
    expect(received.at(-1)).toMatchObject({ host: 'b', method: 'prep_resize' });
  });

  it('without a host leaves the guest as it was and gives the quota back', async () => {
    await start();
    await db
      .knex('quota_usages')
      .insert({ id: 1, project_id: 'p', resource: 'ram', in_use: 0, reserved: 512 });
    await db.knex('reservations').insert({
      uuid: 'r1',
      usage_id: 1,
      project_id: 'p',
      resource: 'ram',
      delta: 512,
      expire: toSqlTime(clock.now() + 1000),
      deleted: 0,
    });
    const uuid = await addInstance(1, { vm_state: 'stopped', task_state: 'resize_prep' });
    await resize(uuid);
    expect(await rowOf(uuid)).toMatchObject({ vm_state: 'stopped', task_state: null });
    expect((await faultsOf(uuid))[0]?.message).toBe('NoValidHost: no host could take it, it stays as it was');
    expect(await db.knex('reservations').where({ deleted: 0 })).toEqual([]);
  });
});

describe('a live migration', () => {
  const migrate = (instance: object, dest: string) =>
    schedulerContract.client(bus).live_migration(context, {
      instance: {
        uuid: 'x',
        host: 'a',
        power_state: 1,
        memory_mb: 512,
        ...instance,
      } as unknown as InstanceWire,
      dest,
      block_migration: false,
      disk_over_commit: false,
    });

  it('is checked and handed to the source', async () => {
    await addHost('a');
    await addHost('b');
    await start();
    expect(await migrate({}, 'b')).toBeNull();
    await settled();
    expect(received.at(-1)).toMatchObject({
      host: 'a',
      method: 'live_migration',
      args: { dest: 'b', migrate_data: { from: 'b' } },
    });
  });

  it('is refused with the fault that fits, and leaves no task behind', async () => {
    await addHost('a');
    await addHost('full', { ram: 100 });
    await addHost('down', { up: false });
    await start();
    const uuid = await addInstance(1, {
      vm_state: 'active',
      task_state: 'migrating',
      host: 'a',
      power_state: 1,
    });
    const refused = async (instance: object, dest: string) =>
      (await migrate(instance, dest).catch(error => error)).name;
    expect(await refused({ power_state: 4 }, 'full')).toBe('InstanceNotRunning');
    expect(await refused({}, 'a')).toBe('UnableToMigrateToSelf');
    expect(await refused({}, 'nowhere')).toBe('ComputeServiceUnavailable');
    expect(await refused({}, 'down')).toBe('ComputeServiceUnavailable');
    expect(await refused({ uuid }, 'full')).toBe('MigrationError');
    expect(await rowOf(uuid)).toMatchObject({ vm_state: 'active', task_state: null });
  });
});

describe('host resources', () => {
  it('are summed by tenant', async () => {
    await addHost('a');
    await start();
    await addInstance(1, { host: 'a' });
    await addInstance(2, { host: 'a', project_id: 'q', memory_mb: 100 });
    await addInstance(3, { host: 'a', memory_mb: 8 });
    const client = schedulerContract.client(bus);
    expect(await client.show_host_resources(context, { host: 'a' })).toMatchObject({
      resource: { vcpus: 4, memory_mb: 4096 },
      usage: { p: { vcpus: 2, memory_mb: 520 }, q: { memory_mb: 100 } },
    });
    await expect(client.show_host_resources(context, { host: 'z' })).rejects.toMatchObject({
      name: 'ComputeHostNotFound',
    });
  });
});

describe('drivers', () => {
  const volumeHost = async (host: string) => {
    await ensureService(
      db.knex,
      { host, binary: 'nova-volume', topic: 'volume', availability_zone: 'nova' },
      clock.now(),
    );
    await bus.serve({
      topic: 'volume',
      host,
      handlers: {
        create_volume: () => void received.push({ host, method: 'create_volume', args: {}, isAdmin: false }),
      },
    });
  };
  const addVolume = (id: string, size: number, host: string | null = null) =>
    db.knex('volumes').insert({ id, size, host, deleted: 0, status: 'creating' });
  const create = (volume_id: string) =>
    schedulerContract.client(bus).create_volume(context, { volume_id, snapshot_id: null, image_id: null });

  it('by lot take any host that is up', async () => {
    await addHost('a');
    await addHost('b');
    await addHost('down', { up: false });
    await start({ scheduler_driver: 'nova.scheduler.chance.ChanceScheduler' });
    for (let n = 1; n <= 20; n++) await run(spec([await addInstance(n)]));
    expect([...new Set(sentTo())].sort()).toEqual(['a', 'b']);
    const uuid = await addInstance(99);
    await run(spec([uuid]), { ignore_hosts: ['a', 'b'] });
    expect((await faultsOf(uuid))[0]).toMatchObject({ message: 'NoValidHost' });
  });

  it('place volumes by lot, and by their size', async () => {
    await volumeHost('v1');
    await start();
    await addVolume('one', 1);
    await Promise.all([create('one'), create('one')]);
    await settled();
    expect(received.filter(({ method }) => method === 'create_volume')).toMatchObject([{ host: 'v1' }]);
    expect(await db.knex('volumes').where({ id: 'one' }).first()).toMatchObject({ host: 'v1' });
    await service?.stop();
    await start({ scheduler_driver: 'nova.scheduler.simple.SimpleScheduler', max_gigabytes: '100' });
    await volumeHost('v2');
    await addVolume('two', 90);
    await create('two');
    await settled();
    expect(received.at(-1)).toMatchObject({ host: 'v2' });
    await addVolume('three', 100);
    await create('three');
    await settled();
    expect(await db.knex('volumes').where({ id: 'three' }).first()).toMatchObject({ status: 'error' });
  });

  it('that do not exist are named at the start', async () => {
    await expect(start({ scheduler_driver: 'my.Scheduler' })).rejects.toThrow('my.Scheduler');
    await expect(start({ scheduler_default_filters: 'RamFilter,NoFilter' })).rejects.toThrow('NoFilter');
    await expect(start({ least_cost_functions: 'nova.compute_x_fn' })).rejects.toThrow('compute_x_fn');
    await expect(start({ scheduler_max_attempts: '0' })).rejects.toThrow('scheduler_max_attempts');
  });
});
