import { type FakeDriver, fakeDriver, type RunningCompute, startCompute } from '@folsom/compute-agent';
import { operations } from '@folsom/compute-agent/testing';
import type { Database } from '@folsom/db';
import { startNetwork } from '@folsom/network';
import { flavorById, flavorWire } from '@folsom/nova/flavors';
import { computeContract } from '@folsom/nova/rpc/compute';
import { networkContract } from '@folsom/nova/rpc/network';
import { createLocalBus, type LocalBus } from '@folsom/rpc';
import { eventually } from '@folsom/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  addFlavor,
  addInstance,
  addVolume,
  admin,
  castBoot,
  mapVolume,
  memoryImages,
  reserveFor,
  testConfig,
  testDatabase,
  testWorld,
  until,
  userContext,
  volumeStand,
  wire,
} from './compute-cloud.ts';

/**
 * Both hosts lose power while an instance stands before every step of every operation of the table: whatever was asked
 * is done, or as if it had never been asked and the fault says why. Nothing is half done, and no task is left.
 */
const HOSTS = ['node1', 'node2'] as const;
type Host = (typeof HOSTS)[number];
const world = testWorld();

let db: Database;
let bus: LocalBus;
let images: ReturnType<typeof memoryImages>;
let drivers: Record<Host, FakeDriver>;
let services: RunningCompute[];
let network: { stop(): Promise<void> };
let volumes: Awaited<ReturnType<typeof volumeStand>>;
/** Each instance has one volume. */
const volumeOf = new Map<string, string>();
let flavor: number;
let bigger: number;
/** Who stands before a step, by `operation:step`; undefined until the first comes. */
const places = new Map<string, string | undefined>();
/** Steps before which the database goes away, once. */
const outages = new Set<string>();
const databaseAway = () => Object.assign(new Error('the server has gone away'), { fatal: true });

const startHosts = async (busForgets: boolean) => {
  for (const host of HOSTS) {
    // Deletions are soft, so that there is something to power off for.
    const config = testConfig({ host, my_ip: host, reclaim_instance_interval: 3600 });
    const options = { config, db, bus, world, images, driver: drivers[host], busForgets };
    services.push(
      await startCompute({
        ...options,
        observe: (operation, step, uuid) => {
          const at = `${operation}:${step}`;
          if (outages.delete(at)) throw databaseAway();
          if (!places.has(at) || places.get(at) !== undefined) return;
          places.set(at, uuid);
          return new Promise<void>(() => {});
        },
      }),
    );
  }
};
const startNet = () => startNetwork({ config: testConfig(), db, bus, world });

beforeEach(async () => {
  db = await testDatabase();
  bus = createLocalBus(world);
  images = memoryImages();
  images.add({ id: 'image-1' }, Buffer.from('image'));
  flavor = await addFlavor(db);
  bigger = await addFlavor(db, { name: 'm1.bigger', memory_mb: 256 });
  drivers = { node1: fakeDriver({ host: 'node1' }), node2: fakeDriver({ host: 'node2' }) };
  // These hypervisors know what they have, and go on while their service is away.
  for (const host of HOSTS) drivers[host].init = async () => {};
  const { liveMigrate } = drivers.node1;
  drivers.node1.liveMigrate = async (guest, ...rest) => {
    await liveMigrate(guest, ...rest);
    await drivers.node2.finishArrival(guest, [], []);
  };
  services = [];
  network = await startNet();
  volumes = await volumeStand(bus, db);
  await networkContract.client(bus).create_networks(admin, { label: 'private', cidr: '10.0.0.0/24' });
  await startHosts(false);
});
afterEach(async () => {
  places.clear();
  outages.clear();
  for (const service of services) await service.stop();
  await network.stop();
  await volumes.stop();
  volumeOf.clear();
  await db.close();
});

const client = () => computeContract.client(bus);
const set = (uuid: string, values: Record<string, unknown>) =>
  db.knex('instances').where({ uuid }).update(values);
const newInstance = async (mapped: boolean): Promise<string> => {
  const uuid = await addInstance(db, flavor);
  const volume = await addVolume(db);
  volumeOf.set(uuid, volume);
  if (mapped) await mapVolume(db, uuid, volume);
  return uuid;
};
const boot = async (mapped = true): Promise<string> => {
  const uuid = await newInstance(mapped);
  await castBoot(bus, db, uuid);
  await until(db, uuid, row => row.vm_state === 'active' && row.task_state === null);
  return uuid;
};
const prepResize = async (uuid: string) => {
  await set(uuid, { task_state: 'resize_prep' });
  const instance_type = flavorWire(await flavorById(db.knex, bigger));
  const image = images.stored.get('image-1')!.image;
  const args = { instance: await wire(db, uuid), instance_type, image, reservations: null };
  await client().prep_resize(userContext, args, { host: 'node2' });
};
const resized = async (uuid: string) => {
  await prepResize(uuid);
  await until(db, uuid, row => row.vm_state === 'resized' && row.task_state === null);
  await eventually(async () => (await lastMigration(uuid)).status).toBe('finished');
};
const lastMigration = async (uuid: string) =>
  (await db.knex('migrations').where({ instance_uuid: uuid }).orderBy('id', 'desc').first())!;
const moveMessage = async (uuid: string) => ({
  instance: await wire(db, uuid),
  migration_id: (await lastMigration(uuid)).id as number,
  reservations: null,
});
/** What the API writes and sends when the operation is asked for. */
const plain =
  (method: 'stop_instance' | 'pause_instance', task_state: string, vm_state = 'active') =>
  async (uuid: string) => {
    await set(uuid, { vm_state, task_state });
    await client()[method](userContext, { instance: await wire(db, uuid) }, { host: 'node1' });
  };
const transition = (method: string, task: string, vm?: string) => plain(method as 'stop_instance', task, vm);
const node1 = { host: 'node1' };
const asks: Record<string, (uuid: string) => Promise<unknown>> = {
  delete: transition('terminate_instance', 'deleting'),
  stop: transition('stop_instance', 'stopping'),
  power_off: transition('power_off_instance', 'powering-off'),
  start: transition('start_instance', 'starting', 'stopped'),
  pause: transition('pause_instance', 'pausing'),
  unpause: transition('unpause_instance', 'unpausing', 'paused'),
  suspend: transition('suspend_instance', 'suspending'),
  resume: transition('resume_instance', 'resuming', 'suspended'),
  unrescue: transition('unrescue_instance', 'unrescuing', 'rescued'),
  reboot: async uuid => {
    await set(uuid, { task_state: 'rebooting' });
    await client().reboot_instance(
      userContext,
      { instance: await wire(db, uuid), reboot_type: 'SOFT' },
      node1,
    );
  },
  rescue: async uuid => {
    await set(uuid, { task_state: 'rescuing' });
    const args = { instance: await wire(db, uuid), rescue_password: 'x' };
    await client().rescue_instance(userContext, args, node1);
  },
  password: async uuid => {
    await set(uuid, { task_state: 'updating_password' });
    await client().set_admin_password(userContext, { instance: await wire(db, uuid), new_pass: 'x' }, node1);
  },
  snapshot: async uuid => {
    images.add({ id: `of-${uuid}`, status: 'queued', properties: { instance_uuid: uuid } });
    await set(uuid, { task_state: 'image_snapshot' });
    const kind = { image_type: 'snapshot', backup_type: null, rotation: null };
    const args = { instance: await wire(db, uuid), image_id: `of-${uuid}`, ...kind };
    await client().snapshot_instance(userContext, args, node1);
  },
  rebuild: async uuid => {
    await set(uuid, { task_state: 'rebuilding' });
    const image = { image_ref: 'image-1', orig_image_ref: 'image-1', orig_sys_metadata: null };
    const args = { instance: await wire(db, uuid), new_pass: 'x', injected_files: [], ...image };
    await client().rebuild_instance(userContext, args, node1);
  },
  resize_prepare: prepResize,
  resize_send: prepResize,
  resize_finish: prepResize,
  resize_confirm: async uuid => {
    await resized(uuid);
    await db.knex('migrations').where({ instance_uuid: uuid }).update({ status: 'confirmed' });
    await set(uuid, { vm_state: 'active' });
    await client().confirm_resize(userContext, await moveMessage(uuid), node1);
  },
  resize_revert: async uuid => {
    await resized(uuid);
    await db.knex('migrations').where({ instance_uuid: uuid }).update({ status: 'reverted' });
    await set(uuid, { task_state: 'resize_reverting' });
    await client().revert_resize(userContext, await moveMessage(uuid), { host: 'node2' });
  },
  resize_restore: uuid => asks.resize_revert!(uuid),
  attach_volume: async uuid => {
    const volume_id = volumeOf.get(uuid)!;
    await reserveFor(db, uuid, volume_id);
    const order = { volume_id, mountpoint: '/dev/vdb' };
    await client().attach_volume(userContext, { instance: await wire(db, uuid), ...order }, node1);
  },
  detach_volume: async uuid => {
    const volume_id = volumeOf.get(uuid)!;
    await db.knex('volumes').where({ id: volume_id }).update({ status: 'detaching' });
    await client().detach_volume(userContext, { instance: await wire(db, uuid), volume_id }, node1);
  },
  live_migration: async uuid => {
    await set(uuid, { task_state: 'migrating' });
    const order = { dest: 'node2', block_migration: true, migrate_data: null };
    await client().live_migration(userContext, { instance: await wire(db, uuid), ...order }, node1);
  },
};

/** vm_state and host when an operation is done. */
const DONE: Record<string, string> = {
  boot: 'active on node1',
  delete: 'deleted',
  stop: 'stopped on node1',
  power_off: 'soft-delete on node1',
  pause: 'paused on node1',
  suspend: 'suspended on node1',
  rescue: 'rescued on node1',
  resize_prepare: 'resized on node2',
  resize_send: 'resized on node2',
  resize_finish: 'resized on node2',
  resize_confirm: 'active on node2',
  live_migration: 'active on node2',
};
const BEFORE = 'active on node1';
const doneOf = (name: string): string => DONE[name] ?? BEFORE;

/** What stands there of an instance, in one line; anything half done shows. */
async function seen(uuid: string, at: string): Promise<string> {
  const row = (await db.knex('instances').where({ uuid }).first())!;
  const name = `instance-${Number(row.id).toString(16).padStart(8, '0')}`;
  const on: string[] = [];
  for (const host of HOSTS) if ((await drivers[host].listGuests()).includes(name)) on.push(host);
  const addresses = await db.knex('fixed_ips').where({ instance_uuid: uuid, allocated: 1 });
  const cards = await db.knex('virtual_interfaces').where({ instance_uuid: uuid, deleted: 0 });
  const faults = await db.knex('instance_faults').where({ instance_uuid: uuid });
  const moves = await db
    .knex('migrations')
    .where({ instance_uuid: uuid })
    .whereIn('status', ['pre-migrating', 'migrating', 'post-migrating']);
  const image = images.stored.get(`of-${uuid}`)?.image.status;
  const volume = (await db
    .knex('volumes')
    .where({ id: volumeOf.get(uuid) })
    .first())!;
  const mapped = await db.knex('block_device_mapping').where({ instance_uuid: uuid, deleted: 0 });
  const plugged = HOSTS.filter(host => [...drivers[host].mountsOf(name).values()].includes(volume.id));
  const state = row.deleted === 1 ? 'deleted' : `${row.vm_state} on ${row.host}`;
  // A move that waits for its user's decision, or for its operator, keeps the old copy.
  const copies = ['resized', 'error'].includes(row.vm_state) ? on.filter(host => host === row.host) : on;
  return [
    at,
    state,
    `task ${row.task_state}`,
    `runs on ${copies.join('+') || 'none'}`,
    `${addresses.length} addresses, ${cards.length} cards`,
    `${moves.length} moves`,
    `volume ${volume.status} with ${plugged.join('+') || 'none'}, ${mapped.length} mapped`,
    `image ${image === 'queued' ? 'unfinished' : 'whole or none'}`,
    faults.some(fault => fault.message !== 'InstanceInterrupted') ? 'another fault' : '',
    faults.length > 0 ? 'and a fault' : '',
  ].join(', ');
}

/** What has become of the volume where an operation is about that. */
const VOLUMES: Record<string, string> = { detach_volume: 'volume available with none, 0 mapped' };

/** The same for an instance that is as it should be. */
function whole(at: string, state: string, fault: boolean, volume = VOLUMES[at.split(':')[0]!]): string {
  const there = state !== 'deleted' && state !== 'error on null';
  const host = /on (node\d)/.exec(state)?.[1];
  const left = state === 'deleted' ? 0 : 1;
  return [
    at,
    state,
    'task null',
    `runs on ${there ? host : 'none'}`,
    there ? '1 addresses, 1 cards' : '0 addresses, 0 cards',
    '0 moves',
    there ? (volume ?? `volume in-use with ${host}, 1 mapped`) : `volume available with none, ${left} mapped`,
    'image whole or none',
    '',
    fault ? 'and a fault' : '',
  ].join(', ');
}

type Step = (typeof operations)[number]['steps'][number];

/** How an operation may end that was cut short before a step and has its message again. */
function withMessage(name: string, steps: readonly Step[], step: Step, at: string): string[] {
  // What began on the source is taken back at once; its message, when it comes, finds that.
  const takenBack = name === 'resize_send' && steps.indexOf(step) > 0;
  return [takenBack ? whole(at, BEFORE, true) : whole(at, doneOf(name), false)];
}

/** The same where its message is lost. */
function withoutMessage(name: string, steps: readonly Step[], step: Step, at: string): string[] {
  const index = steps.indexOf(step);
  const done = whole(at, doneOf(name), false);
  if (name === 'boot') {
    // Nobody has it yet: that it is lost is found out by an audit of its own. With its guest running it is whole.
    return [step.name === 'activate' ? done : whole(at, 'error on null', true)];
  }
  if (step.restart === 'again') return [done];
  if (name === 'resize_finish')
    return [
      whole(at, 'error on node2', true, 'volume in-use with none, 1 mapped').replace(
        'runs on node2',
        'runs on none',
      ),
      whole(at, 'error on node2', true),
    ];
  // The destination's outbox may still have the message that the bus has lost.
  if (name === 'resize_send' && index === 0) return [whole(at, BEFORE, true), done];
  // The guest has arrived, and its new host sees that.
  if (name === 'live_migration' && index >= 2) return [done];
  if (name === 'snapshot' || name === 'password' || step.restart === 'undo') return [whole(at, BEFORE, true)];
  return [done];
}

async function cutShort(
  names: readonly string[],
): Promise<{ op: (typeof operations)[number]; step: Step; at: string; uuid: string }[]> {
  const out = [];
  for (const op of operations.filter(one => names.includes(one.name))) {
    for (const step of op.steps) {
      const at = `${op.name}:${step.name}`;
      const uuid = op.name === 'boot' ? await newInstance(true) : await boot(op.name !== 'attach_volume');
      places.set(at, undefined);
      if (op.name === 'boot') await castBoot(bus, db, uuid);
      else await asks[op.name]!(uuid);
      await eventually(async () => places.get(at)).toBe(uuid);
      out.push({ op, step, at, uuid });
    }
  }
  return out;
}

const groups = [
  ['boot', 'delete'],
  ['stop', 'power_off', 'start', 'pause', 'unpause', 'suspend', 'resume', 'reboot', 'unrescue'],
  ['rescue', 'snapshot', 'password', 'rebuild'],
  ['resize_prepare', 'resize_send', 'resize_finish'],
  ['resize_confirm', 'resize_revert', 'resize_restore'],
  ['live_migration'],
  ['attach_volume', 'detach_volume'],
];

describe('hosts that are killed at every step of every operation', () => {
  it('are tried with all that the table has', () => {
    expect(groups.flat().toSorted()).toEqual(operations.map(op => op.name).toSorted());
  });

  it.each(groups)('go on with %s, %s ... when the messages come again', async (...names) => {
    const cases = await cutShort(names);
    for (const service of services.splice(0)) bus.crash(service.served);
    await startHosts(false);
    for (const { op, step, at, uuid } of cases) {
      const wanted = withMessage(op.name, op.steps, step, at);
      await eventually(() => seen(uuid, at)).toSatisfy(
        text => wanted.includes(text as string),
        wanted.join('\n'),
      );
    }
  });

  it.each(groups)(
    'go on with %s, %s ... when the database was away before or at the end of a step',
    async (...names) => {
      const cases: { at: string; uuid: string; wanted: string }[] = [];
      for (const op of operations.filter(one => names.includes(one.name))) {
        for (const step of op.steps) {
          for (const when of ['before', 'at the end of']) {
            const at = `${op.name}:${step.name}`;
            const uuid =
              op.name === 'boot' ? await newInstance(true) : await boot(op.name !== 'attach_volume');
            const { run } = step;
            let away = false;
            if (when === 'before') outages.add(at);
            else
              step.run = async (...args: Parameters<Step['run']>) => {
                step.run = run;
                await run(...args);
                away = true;
                throw databaseAway();
              };
            if (op.name === 'boot') await castBoot(bus, db, uuid);
            else await asks[op.name]!(uuid);
            await eventually(async () => (when === 'before' ? !outages.has(at) : away)).toBe(true);
            cases.push({
              at: `${when} ${at}`,
              uuid,
              wanted: whole(`${when} ${at}`, doneOf(op.name), false, VOLUMES[op.name]),
            });
          }
        }
      }
      for (const { at, uuid, wanted } of cases) await eventually(() => seen(uuid, at)).toBe(wanted);
    },
  );

  it.each(groups)('finish, undo or report %s, %s ... when the messages are lost', async (...names) => {
    const cases = await cutShort(names);
    services = [];
    await network.stop();
    bus = createLocalBus(world);
    network = await startNet();
    volumes = await volumeStand(bus, db);
    await startHosts(true);
    for (const service of services) await service.tick();
    for (const { op, step, at, uuid } of cases) {
      // The user asks for it again.
      if (op.name === 'resize_confirm') continue;
      const wanted = withoutMessage(op.name, op.steps, step, at);
      await eventually(() => seen(uuid, at)).toSatisfy(
        text => wanted.includes(text as string),
        wanted.join('\n'),
      );
    }
  });
});
