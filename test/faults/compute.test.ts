import { fakeDriver, type RunningCompute, startCompute } from '@folsom/compute-agent';
import type { Database } from '@folsom/db';
import { startNetwork } from '@folsom/network';
import { computeContract } from '@folsom/nova/rpc/compute';
import { networkContract } from '@folsom/nova/rpc/network';
import { createLocalBus, type LocalBus } from '@folsom/rpc';
import { eventually } from '@folsom/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  addFlavor,
  addInstance,
  admin,
  castBoot,
  memoryImages,
  testConfig,
  testDatabase,
  testWorld,
  until,
  userContext,
  wire,
} from './compute-cloud.ts';

const world = testWorld();
let db: Database;
let bus: LocalBus;
let images: ReturnType<typeof memoryImages>;
let flavor: number;
const running: { stop(): Promise<void> }[] = [];

const compute = async (extra: Partial<Parameters<typeof startCompute>[0]> = {}): Promise<RunningCompute> => {
  const config = extra.config ?? testConfig();
  const service = await startCompute({
    config,
    db,
    bus,
    world,
    driver: fakeDriver({ host: config.of((await import('@folsom/nova/options')).novaOptions).host }),
    images,
    ...extra,
  });
  running.push(service);
  return service;
};
const client = () => computeContract.client(bus);
const active = (row: Record<string, unknown>) => row.vm_state === 'active' && row.task_state === null;

async function booted(values: Record<string, unknown> = {}): Promise<string> {
  const uuid = await addInstance(db, flavor, values);
  await castBoot(bus, db, uuid);
  await until(db, uuid, active);
  return uuid;
}

beforeEach(async () => {
  db = await testDatabase();
  bus = createLocalBus(world);
  images = memoryImages();
  images.add({ id: 'image-1' }, Buffer.from('image'));
  flavor = await addFlavor(db);
  running.push(await startNetwork({ config: testConfig(), db, bus, world }));
  await networkContract.client(bus).create_networks(admin, { label: 'private', cidr: '10.0.0.0/26' });
});
afterEach(async () => {
  for (const service of running.splice(0).reverse()) await service.stop();
  await db.close();
});

const usedAddresses = async () => (await db.knex('fixed_ips').whereNotNull('instance_uuid')).length;

describe('nova-compute with the fake driver', () => {
  it('boots, reports its resources and deletes without leaving anything', async () => {
    await compute();
    const uuid = await booted();
    const row = (await db.knex('instances').where({ uuid }).first())!;
    expect(row).toMatchObject({ host: 'node1', launched_on: 'node1', power_state: 1 });
    expect(row.launched_at).not.toBeNull();
    const cache = (await db.knex('instance_info_caches').where({ instance_uuid: uuid }).first())!;
    expect(JSON.parse(cache.network_info!)[0].network.subnets[0].ips[0].address).toBe('10.0.0.2');
    const reported = async (mb: number) => {
      await eventually(async () => (await db.knex('compute_nodes').first())!.memory_mb_used).toBe(mb);
      return db.knex('compute_nodes').first();
    };
    expect(await reported(640)).toMatchObject({
      vcpus: 64,
      memory_mb: 262_144,
      local_gb: 20_000,
      running_vms: 1,
    });
    await client().terminate_instance(userContext, { instance: await wire(db, uuid) }, { host: 'node1' });
    await until(db, uuid, one => one.deleted === 1 && one.vm_state === 'deleted');
    await reported(512);
    expect(await usedAddresses()).toBe(0);
    expect(await db.knex('virtual_interfaces')).toEqual([]);
    expect(
      await client()
        .get_host_uptime(admin, {}, { host: 'node1' })
        .catch(error => error.name),
    ).toBe('NotImplementedError');
  });

  it('deletes without an answer of the console service', async () => {
    const asked: string[] = [];
    const delete_tokens_for_instance = (_: unknown, { instance_uuid }: { instance_uuid: string }) => {
      asked.push(instance_uuid);
      return new Promise<null>(() => {});
    };
    await bus.serve({
      topic: 'consoleauth',
      host: 'frozen',
      handlers: { delete_tokens_for_instance } as never,
    });
    await compute();
    const uuid = await booted();
    await client().terminate_instance(userContext, { instance: await wire(db, uuid) }, { host: 'node1' });
    await until(db, uuid, row => row.deleted === 1 && row.task_state === null);
    await eventually(() => asked).toEqual([uuid]);
    // The next message for this server has its turn.
    await client().terminate_instance(userContext, { instance: await wire(db, uuid) }, { host: 'node1' });
    expect(await usedAddresses()).toBe(0);
  });

  it('moves through every state and back', async () => {
    await compute();
    const uuid = await booted();
    const steps: [Parameters<typeof run>[0], string, string][] = [
      ['pause_instance', 'pausing', 'paused'],
      ['unpause_instance', 'unpausing', 'active'],
      ['suspend_instance', 'suspending', 'suspended'],
      ['resume_instance', 'resuming', 'active'],
      ['stop_instance', 'stopping', 'stopped'],
      ['start_instance', 'starting', 'active'],
      ['rescue_instance', 'rescuing', 'rescued'],
      ['unrescue_instance', 'unrescuing', 'active'],
    ];
    const run = async (
      method:
        | 'pause_instance'
        | 'unpause_instance'
        | 'suspend_instance'
        | 'resume_instance'
        | 'stop_instance'
        | 'start_instance'
        | 'rescue_instance'
        | 'unrescue_instance',
      task: string,
      state: string,
    ) => {
      await db.knex('instances').where({ uuid }).update({ task_state: task });
      const instance = await wire(db, uuid);
      if (method === 'rescue_instance') {
        await client().rescue_instance(userContext, { instance, rescue_password: 'x' }, { host: 'node1' });
      } else await client()[method](userContext, { instance }, { host: 'node1' });
      await until(db, uuid, row => row.vm_state === state && row.task_state === null);
    };
    for (const step of steps) await run(...step);
    await db.knex('instances').where({ uuid }).update({ task_state: 'rebooting' });
    await client().reboot_instance(
      userContext,
      { instance: await wire(db, uuid), reboot_type: 'SOFT' },
      { host: 'node1' },
    );
    await until(db, uuid, active);
    await db.knex('instances').where({ uuid }).update({ task_state: 'rebuilding' });
    await client().rebuild_instance(
      userContext,
      {
        instance: await wire(db, uuid),
        new_pass: 'x',
        injected_files: [],
        image_ref: 'image-1',
        orig_image_ref: 'image-1',
        orig_sys_metadata: null,
      },
      { host: 'node1' },
    );
    await until(db, uuid, active);
  });

  it('makes snapshots, and removes the image of one that failed', async () => {
    await compute();
    const uuid = await booted();
    images.add({ id: 'snap-1', status: 'queued' });
    await db.knex('instances').where({ uuid }).update({ task_state: 'image_snapshot' });
    const snapshot = async (image_id: string) =>
      client().snapshot_instance(
        userContext,
        {
          instance: await wire(db, uuid),
          image_id,
          image_type: 'snapshot',
          backup_type: null,
          rotation: null,
        },
        { host: 'node1' },
      );
    await snapshot('snap-1');
    await until(db, uuid, active);
    expect(images.stored.get('snap-1')!.image).toMatchObject({ status: 'active', size: 14 });
    images.add({ id: 'snap-2', status: 'queued' });
    images.upload = async () => {
      throw new Error('disk full');
    };
    await db.knex('instances').where({ uuid }).update({ task_state: 'image_snapshot' });
    await snapshot('snap-2');
    await until(db, uuid, active);
    expect(images.stored.has('snap-2')).toBe(false);
  });

  it('resizes in place, confirms and reverts', async () => {
    const config = testConfig({ allow_resize_to_same_host: true });
    const driver = fakeDriver({ host: 'node1' });
    const confirmed = Promise.withResolvers<void>();
    await compute({
      config,
      driver: {
        ...driver,
        confirmMigration: async (...given) => {
          await driver.confirmMigration(...given);
          confirmed.resolve();
        },
      },
    });
    const uuid = await booted();
    const bigger = await addFlavor(db, { name: 'm1.bigger', memory_mb: 256 });
    const flavors = await import('@folsom/nova/flavors');
    const resize = async () => {
      await db.knex('instances').where({ uuid }).update({ task_state: 'resize_prep' });
      await client().prep_resize(
        userContext,
        {
          instance: await wire(db, uuid),
          instance_type: flavors.flavorWire(await flavors.flavorById(db.knex, bigger)),
          image: images.stored.get('image-1')!.image,
          reservations: null,
        },
        { host: 'node1' },
      );
      await until(db, uuid, row => row.vm_state === 'resized' && row.task_state === null);
      const migration = async () => (await db.knex('migrations').orderBy('id', 'desc').first())!;
      // Whoever sees the server resized can confirm or revert at once.
      expect((await migration()).status).toBe('finished');
      return (await migration()).id as number;
    };
    let migration_id = await resize();
    expect(await db.knex('instances').where({ uuid }).first('memory_mb')).toEqual({ memory_mb: 256 });
    await db.knex('instances').where({ uuid }).update({ task_state: 'resize_reverting' });
    const message = async () => ({ instance: await wire(db, uuid), migration_id, reservations: null });
    await client().revert_resize(userContext, await message(), { host: 'node1' });
    await until(db, uuid, active);
    expect(await db.knex('instances').where({ uuid }).first('memory_mb')).toEqual({ memory_mb: 128 });
    migration_id = await resize();
    await db.knex('instances').where({ uuid }).update({ vm_state: 'active' });
    await client().confirm_resize(userContext, await message(), { host: 'node1' });
    await confirmed.promise;
    expect(await db.knex('instances').where({ uuid }).first('memory_mb', 'vm_state')).toEqual({
      memory_mb: 256,
      vm_state: 'active',
    });
  });

  it('takes everything back when a build fails, and says why', async () => {
    const driver = fakeDriver({ host: 'node1' });
    await compute({
      driver: {
        ...driver,
        spawn: async () => {
          throw new Error('no such hypervisor');
        },
      },
    });
    const uuid = await addInstance(db, flavor);
    await castBoot(bus, db, uuid);
    await until(db, uuid, row => row.vm_state === 'error' && row.task_state === null);
    expect(await usedAddresses()).toBe(0);
    expect(await db.knex('instance_faults').where({ instance_uuid: uuid })).toMatchObject([
      { code: 500, message: 'NovaException' },
    ]);
  });

  it('refuses what does not fit the host', async () => {
    await compute({ driver: fakeDriver({ host: 'node1', memoryMb: 1024 }) });
    const uuid = await addInstance(db, await addFlavor(db, { name: 'big', memory_mb: 600 }));
    await client().run_instance(
      userContext,
      {
        instance: await wire(db, uuid),
        request_spec: null,
        filter_properties: { limits: { memory_mb: 1024 } },
        requested_networks: null,
        injected_files: [],
        admin_password: null,
        is_first_time: true,
      },
      { host: 'node1' },
    );
    await until(db, uuid, row => row.vm_state === 'error');
    expect(await db.knex('instance_faults').first()).toMatchObject({
      message: 'ComputeResourcesUnavailable',
    });
    expect(await db.knex('instances').where({ uuid }).first('host')).toEqual({ host: null });
  });

  it('takes the task of a deleted instance away with its row', async () => {
    await compute();
    const uuid = await booted();
    await db.knex.raw('CREATE TABLE seen (vm_state TEXT, deleted INTEGER)');
    await db.knex.raw(
      'CREATE TRIGGER idle AFTER UPDATE ON instances WHEN OLD.task_state IS NOT NULL AND NEW.task_state IS NULL ' +
        'BEGIN INSERT INTO seen VALUES (NEW.vm_state, NEW.deleted <> 0); END',
    );
    await db.knex('instances').where({ uuid }).update({ task_state: 'deleting' });
    await client().terminate_instance(userContext, { instance: await wire(db, uuid) }, { host: 'node1' });
    await until(db, uuid, row => Boolean(row.deleted));
    // A death in between would leave a row that nobody works on.
    expect(await db.knex('seen')).toEqual([{ vm_state: 'deleted', deleted: 1 }]);
  });

  it('deletes an instance that is still being built', async () => {
    const driver = fakeDriver({ host: 'node1' });
    await compute({
      driver: {
        ...driver,
        spawn: (request, step) =>
          new Promise((_resolve, reject) => {
            void driver.spawn(request, step);
            request.signal.addEventListener('abort', () => reject(request.signal.reason));
          }),
      },
    });
    const uuid = await addInstance(db, flavor);
    await castBoot(bus, db, uuid);
    await until(db, uuid, row => row.task_state === 'spawning');
    await db.knex('instances').where({ uuid }).update({ task_state: 'deleting' });
    await client().terminate_instance(userContext, { instance: await wire(db, uuid) }, { host: 'node1' });
    await until(db, uuid, row => row.deleted === 1);
    expect(await driver.listGuests()).toEqual([]);
    expect(await usedAddresses()).toBe(0);
  });

  it('answers consoles as Folsom does', async () => {
    await compute();
    const uuid = await booted();
    const instance = await wire(db, uuid);
    const at = { host: 'node1' };
    expect(await client().get_console_output(userContext, { instance, tail_length: 1 }, at)).toBe(
      'LAST LINE',
    );
    expect(await client().get_console_output(userContext, { instance, tail_length: null }, at)).toContain(
      'FAKE',
    );
    const vnc = await client().get_vnc_console(userContext, { instance, console_type: 'novnc' }, at);
    expect(vnc).toMatchObject({ host: 'fakevncconsole.com', port: 6969, internal_access_path: 'FAKE' });
    expect(vnc.access_url).toBe(`http://127.0.0.1:6080/vnc_auto.html?token=${vnc.token}`);
    const check = (port: number) =>
      client().validate_console_port(userContext, { instance, port, console_type: 'novnc' }, at);
    expect([await check(6969), await check(1)]).toEqual([true, false]);
    const wrong = client().get_vnc_console(userContext, { instance, console_type: 'bogus' }, at);
    expect(await wrong.catch(error => error.name)).toBe('ConsoleTypeInvalid');
    expect(await client().get_diagnostics(userContext, { instance }, at)).toBe('FAKE_DIAGNOSTICS');
  });
});

describe('a compute service that ended in the middle', () => {
  const cases: [string, Record<string, unknown>, (row: Record<string, unknown>) => boolean][] = [
    ['a build', { vm_state: 'building', task_state: 'networking' }, row => row.vm_state === 'error'],
    ['a deletion', { vm_state: 'active', task_state: 'deleting' }, row => row.deleted === 1],
    ['a stop', { vm_state: 'active', task_state: 'stopping' }, row => row.vm_state === 'stopped'],
    ['a pause', { vm_state: 'active', task_state: 'pausing' }, row => row.vm_state === 'paused'],
    ['a reboot', { vm_state: 'active', task_state: 'rebooting' }, active],
    ['a rebuild', { vm_state: 'active', task_state: 'rebuild_spawning' }, active],
    ['a snapshot', { vm_state: 'active', task_state: 'image_snapshot' }, active],
    ['a password', { vm_state: 'active', task_state: 'updating_password' }, active],
    ['a resize', { vm_state: 'active', task_state: 'resize_migrated' }, row => row.vm_state === 'error'],
  ];
  it.each(cases)('finishes, undoes or reports %s', async (_name, state, wanted) => {
    const uuid = await addInstance(db, flavor, { ...state, host: 'node1', power_state: 1 });
    await compute({ busForgets: true });
    const row = await until(db, uuid, one => wanted(one) && one.task_state === null);
    expect(row.task_state).toBeNull();
  });

  it.each([
    ['start_guests_on_host_boot', ['ran', 'stopped']],
    ['resume_guests_state_on_host_boot', ['ran']],
    ['report_interval', []],
  ] as const)('at the start of a host %s decides which guests run again', async (option, wanted) => {
    const named = new Map<string, string>();
    const there = { host: 'node1', task_state: null };
    const add = async (name: string, values: Record<string, unknown>) =>
      void named.set(await addInstance(db, flavor, { ...there, ...values }), name);
    await add('ran', { vm_state: 'active', power_state: 1 });
    await add('stopped', { vm_state: 'stopped', power_state: 4 });
    await add('paused', { vm_state: 'paused', power_state: 3 });
    await add('in error', { vm_state: 'error', power_state: 4 });
    const started: string[] = [];
    const driver = {
      ...fakeDriver({ host: 'node1' }),
      reportsPowerState: true,
      info: async ({ uuid }: { uuid: string }) => {
        const state = started.includes(named.get(uuid)!) ? 1 : 4;
        return { state, maxMemoryKb: 0, memoryKb: 0, vcpus: 1, cpuTimeNs: 0 };
      },
      powerOn: async ({ uuid }: { uuid: string }) => void started.push(named.get(uuid)!),
    };
    const service = await compute({
      driver,
      config: testConfig({ [option]: option === 'report_interval' ? 0 : true }),
    });
    await service.stop();
    expect(started.sort()).toEqual(wanted);
    for (const [uuid, name] of named) {
      if (!started.includes(name)) continue;
      const row = await db.knex('instances').where({ uuid }).first('vm_state', 'power_state', 'task_state');
      expect(row).toEqual({ vm_state: 'active', power_state: 1, task_state: null });
    }
  });

  it('leaves a build alone that another host has by now', async () => {
    const uuid = await addInstance(db, flavor, { task_state: 'networking', host: 'node1' });
    await networkContract.client(bus).allocate_for_instance(admin, {
      instance_id: (await db.knex('instances').where({ uuid }).first('id'))!.id,
      instance_uuid: uuid,
      project_id: 'p',
      host: 'node1',
      rxtx_factor: 1,
      requested_networks: null,
      vpn: false,
    });
    const destroyed: string[] = [];
    const driver = fakeDriver({ host: 'node1' });
    const service = await compute({
      busForgets: true,
      driver: {
        ...driver,
        // Between the listing and the recovery.
        init: async () => void (await db.knex('instances').where({ uuid }).update({ host: 'node2' })),
        destroy: async guest => void destroyed.push(guest.uuid),
      },
    });
    await service.stop();
    expect(destroyed).toEqual([]);
    expect(await db.knex('instances').where({ uuid }).first('vm_state', 'task_state', 'host')).toEqual({
      vm_state: 'building',
      task_state: 'networking',
      host: 'node2',
    });
    expect(await usedAddresses()).toBe(1);
  });
});
