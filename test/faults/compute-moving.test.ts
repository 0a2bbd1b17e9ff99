import {
  type ComputeDriver,
  fakeDriver,
  type RunningCompute,
  type StepObserver,
  startCompute,
} from '@folsom/compute-agent';
import { Fault } from '@folsom/core';
import type { Database } from '@folsom/db';
import { startNetwork } from '@folsom/network';
import { flavorById, flavorWire } from '@folsom/nova/flavors';
import { computeContract } from '@folsom/nova/rpc/compute';
import { networkContract } from '@folsom/nova/rpc/network';
import { createLocalBus, type LocalBus } from '@folsom/rpc';
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
const HOSTS = ['node1', 'node2'] as const;
type Host = (typeof HOSTS)[number];
const active = (row: Record<string, unknown>) => row.vm_state === 'active' && row.task_state === null;
const resized = (row: Record<string, unknown>) => row.vm_state === 'resized' && row.task_state === null;

let db: Database;
let bus: LocalBus;
let images: ReturnType<typeof memoryImages>;
let drivers: Record<Host, ComputeDriver>;
let services: Record<string, RunningCompute>;
let observe: StepObserver;
let flavor: number;
let bigger: number;
const network: { stop(): Promise<void> }[] = [];

const compute = async (host: Host, extra: Record<string, string | number> = {}) => {
  services[host] = await startCompute({
    config: testConfig({ host, my_ip: host, ...extra }),
    db,
    bus,
    world,
    driver: drivers[host],
    images,
    observe: (operation, step, uuid) => observe(operation, step, uuid),
  });
};
const client = () => computeContract.client(bus);
const setState = (uuid: string, values: Record<string, unknown>) =>
  db.knex('instances').where({ uuid }).update(values);
const guests = async () => [await drivers.node1.listGuests(), await drivers.node2.listGuests()];
const boot = async (): Promise<string> => {
  const uuid = await addInstance(db, flavor);
  await castBoot(bus, db, uuid);
  await until(db, uuid, active);
  return uuid;
};
const beginResize = async (uuid: string) => {
  await setState(uuid, { task_state: 'resize_prep' });
  await client().prep_resize(
    userContext,
    {
      instance: await wire(db, uuid),
      instance_type: flavorWire(await flavorById(db.knex, bigger)),
      image: images.stored.get('image-1')!.image,
      reservations: null,
    },
    { host: 'node2' },
  );
};
const guestNamed = async (uuid: string) => {
  const { id } = (await db.knex('instances').where({ uuid }).first('id'))!;
  return { uuid, name: `instance-${Number(id).toString(16).padStart(8, '0')}` };
};
const lastMigration = async (uuid: string) =>
  (await db.knex('migrations').where({ instance_uuid: uuid }).orderBy('id', 'desc').first())!;
const eventually = (question: () => Promise<unknown>, wanted: unknown) =>
  expect.poll(question, { timeout: 10_000, interval: 20 }).toEqual(wanted);

beforeEach(async () => {
  db = await testDatabase();
  bus = createLocalBus(world);
  images = memoryImages();
  images.add({ id: 'image-1' }, Buffer.from('image'));
  flavor = await addFlavor(db);
  bigger = await addFlavor(db, { name: 'm1.bigger', memory_mb: 256 });
  drivers = { node1: fakeDriver({ host: 'node1' }), node2: fakeDriver({ host: 'node2' }) };
  observe = () => {};
  services = {};
  network.push(await startNetwork({ config: testConfig(), db, bus, world }));
  await networkContract.client(bus).create_networks(admin, { label: 'private', cidr: '10.0.0.0/26' });
  for (const host of HOSTS) await compute(host);
});
afterEach(async () => {
  for (const service of Object.values(services)) await service.stop();
  for (const service of network.splice(0)) await service.stop();
  await db.close();
});

describe('a live migration', () => {
  const migrate = async (uuid: string) => {
    await setState(uuid, { task_state: 'migrating' });
    const instance = await wire(db, uuid);
    const order = { instance, dest: 'node2', block_migration: true, migrate_data: null };
    await client().live_migration(userContext, order, { host: 'node1' });
  };

  it('ends with the guest on the other host, and only there', async () => {
    const uuid = await boot();
    await migrate(uuid);
    expect(await until(db, uuid, row => active(row) && row.host === 'node2')).toMatchObject({
      power_state: 1,
    });
    await eventually(guests, [[], ['instance-00000001']]);
  });

  it('that fails leaves the guest where it was, running, and takes back what was prepared', async () => {
    const uuid = await boot();
    drivers.node1.liveMigrate = async () => {
      throw new Error('the wire broke');
    };
    const cleared: string[] = [];
    const { destroy } = drivers.node2;
    drivers.node2.destroy = async (guest, ...rest) => {
      cleared.push(guest.uuid);
      await destroy(guest, ...rest);
    };
    await migrate(uuid);
    expect(await until(db, uuid, active)).toMatchObject({ host: 'node1' });
    await eventually(async () => cleared, [uuid]);
    expect(await guests()).toEqual([['instance-00000001'], []]);
    expect(await db.knex('instance_faults').first()).toMatchObject({ message: 'NovaException' });
  });

  it.each([
    [false, 'files too'],
    [true, 'guest alone'],
  ])(
    'whose source died when the guest had just moved is finished by the destination (one instances_path: %s)',
    async (shared, left) => {
      const uuid = await boot();
      let reached = () => {};
      const gone = new Promise<void>(resolve => {
        reached = resolve;
      });
      // The process "dies": nothing after this step happens.
      observe = (operation, step) => {
        if (`${operation}:${step}` !== 'live_migration:arrive') return;
        reached();
        return new Promise<void>(() => {});
      };
      await migrate(uuid);
      await gone;
      bus.crash(services.node1!.served);
      await drivers.node2.finishArrival((await guestNamed(uuid)) as never, [], []);
      const cleared: string[] = [];
      const { destroy, forgetMoved } = drivers.node1;
      drivers.node1.destroy = async (guest, ...rest) => {
        cleared.push('files too');
        await destroy(guest, ...rest);
      };
      drivers.node1.forgetMoved = async guest => {
        cleared.push('guest alone');
        await forgetMoved(guest);
      };
      const check = {
        filename: 'f',
        block_migration: false,
        disk_over_commit: false,
        disk_available_mb: null,
      };
      drivers.node1.checkAsTarget = async () => check;
      drivers.node2.checkAsSource = async () => {
        if (!shared) throw new Fault('InvalidSharedStorage', 400, 'not shared', { module: 'nova.exception' });
      };
      // This hypervisor really knows what it has.
      drivers.node1.init = async () => {};
      await compute('node1');
      await services.node2!.tick();
      expect(await until(db, uuid, active)).toMatchObject({ host: 'node2' });
      await eventually(async () => cleared, [left]);
    },
  );

  it('that is asked of the source is refused with its reason', async () => {
    const uuid = await boot();
    const instance = await wire(db, uuid);
    drivers.node1.checkAsSource = async () => {
      throw Object.assign(new Error('not shared'), { name: 'InvalidSharedStorage' });
    };
    const check = { filename: 'f', block_migration: false, disk_over_commit: false, disk_available_mb: null };
    drivers.node2.checkAsTarget = async () => check;
    let ended = false;
    drivers.node2.endTargetCheck = async () => {
      ended = true;
    };
    const refused = client()
      .check_can_live_migrate_destination(
        userContext,
        { instance, block_migration: false, disk_over_commit: false },
        { host: 'node2' },
      )
      .catch(error => error.message);
    expect(await refused).toContain('not shared');
    expect(ended).toBe(true);
  });
});

describe('a resize to another host', () => {
  const steps: [string, Host][] = [
    ['resize_send:migrate', 'node1'],
    ['resize_send:hand_over', 'node1'],
    ['resize_finish:start', 'node2'],
    ['resize_revert:clear', 'node2'],
  ];
  it.each(steps)('76: CVE-2015-3241: deleted at %s leaves nothing on either host', async (at, host) => {
    const uuid = await boot();
    let go = () => {};
    const reached = new Promise<void>(resolve => {
      observe = (operation, step) => {
        if (`${operation}:${step}` !== at) return;
        resolve();
        return new Promise<void>(released => {
          go = released;
        });
      };
    });
    await beginResize(uuid);
    if (at === 'resize_revert:clear') {
      await until(db, uuid, resized);
      await setState(uuid, { task_state: 'resize_reverting' });
      const { id } = await lastMigration(uuid);
      const message = { instance: await wire(db, uuid), migration_id: id, reservations: null };
      await client().revert_resize(userContext, message, { host: 'node2' });
    }
    await reached;
    await setState(uuid, { task_state: 'deleting' });
    await client().terminate_instance(userContext, { instance: await wire(db, uuid) }, { host });
    go();
    await until(db, uuid, row => row.deleted === 1);
    await eventually(guests, [[], []]);
    expect(await db.knex('fixed_ips').whereNotNull('instance_uuid')).toEqual([]);
    expect(await db.knex('virtual_interfaces')).toEqual([]);
  });

  it('is cleared up on a host that was away while the instance was deleted', async () => {
    const uuid = await boot();
    await beginResize(uuid);
    await until(db, uuid, resized);
    await services.node1!.stop();
    const held: string[] = [];
    const { destroy } = drivers.node1;
    drivers.node1.destroy = async (guest, ...rest) => {
      held.push(guest.uuid);
      await destroy(guest, ...rest);
    };
    await setState(uuid, { task_state: 'deleting' });
    await client().terminate_instance(userContext, { instance: await wire(db, uuid) }, { host: 'node2' });
    await until(db, uuid, row => row.deleted === 1);
    await compute('node1');
    await services.node1!.tick();
    await eventually(async () => held.includes(uuid), true);
  });

  it('is told to have been confirmed when the instance is deleted instead', async () => {
    const told: string[] = [];
    bus.notify = async (_context, _topic, _priority, body) =>
      void told.push(String((body as { event_type: string }).event_type));
    await services.node2!.stop();
    await compute('node2', { notification_driver: 'nova.openstack.common.notifier.rabbit_notifier' });
    const uuid = await boot();
    await beginResize(uuid);
    await until(db, uuid, resized);
    told.length = 0;
    await setState(uuid, { task_state: 'deleting' });
    await client().terminate_instance(userContext, { instance: await wire(db, uuid) }, { host: 'node2' });
    await eventually(async () => told.filter(name => /delete.end/.test(name)).length, 1);
    expect(told.filter(name => /resize|delete/.test(name))).toEqual(
      ['resize.confirm.start', 'resize.confirm.end', 'delete.start', 'delete.end'].map(
        name => `compute.instance.${name}`,
      ),
    );
    await eventually(guests, [[], []]);
  });

  it('is confirmed by itself when its user does not decide', async () => {
    await services.node2!.stop();
    await compute('node2', { resize_confirm_window: 60 });
    const uuid = await boot();
    await beginResize(uuid);
    await until(db, uuid, resized);
    await eventually(async () => (await lastMigration(uuid)).status, 'finished');
    await services.node2!.tick();
    expect(await db.knex('instances').where({ uuid }).first('vm_state')).toEqual({ vm_state: 'resized' });
    await db.knex('migrations').update({ updated_at: '2012-09-27 10:00:00' });
    await services.node2!.tick();
    expect(await until(db, uuid, active)).toMatchObject({ host: 'node2', memory_mb: 256 });
    expect(await lastMigration(uuid)).toMatchObject({ status: 'confirmed' });
    await eventually(guests, [[], ['instance-00000001']]);
  });

  it('goes on being taken back after the destination died in the middle of that', async () => {
    const uuid = await boot();
    await beginResize(uuid);
    await until(db, uuid, resized);
    const { id } = await lastMigration(uuid);
    await services.node2!.stop();
    await setState(uuid, { task_state: 'resize_reverting' });
    await db.knex('migrations').where({ id }).update({ status: 'reverted' });
    await compute('node2');
    expect(await until(db, uuid, active)).toMatchObject({ host: 'node1', memory_mb: 128 });
    expect(await guests()).toEqual([['instance-00000001'], []]);
  });
});
