import { must } from '@folsom/core';
import { booted, mark } from './itself.ts';
import { addresses, groups } from './network-operations.ts';
import { snapshots } from './snapshot-operations.ts';
import { volumeOperations } from './volume-operations.ts';
import {
  act,
  becomes,
  eventually,
  inside,
  nameOnHost,
  type Operation,
  type Server,
  type State,
  shown,
  virsh,
  type World,
} from './world.ts';

/** One action of the API, and the state it ends in; `boots`: another kernel runs afterwards. */
const simple = (
  name: string,
  from: readonly State[],
  to: State,
  action: Record<string, unknown>,
  boots = false,
): Operation => ({
  name,
  from,
  to,
  async run(world, server) {
    await act(world, server, action);
    await becomes(world, server, to);
    if (boots) booted(server);
  },
});

/** Every server that a user boots. */
export async function boot(world: World, image: Server['image'], flavor: string): Promise<Server> {
  const name = `walker-${++world.named}`;
  const { server: made } = await world.compute<{ server: { id: string } }>('POST', '/servers', {
    server: {
      name,
      imageRef: image.id,
      flavorRef: flavor,
      key_name: 'walk',
      security_groups: [{ name: 'walk' }],
    },
  });
  const server: Server = {
    id: made.id,
    name,
    state: 'active',
    address: '',
    flavor,
    image,
    mark: '',
    bootId: undefined,
    formerBootId: undefined,
    volumes: [],
  };
  world.servers.push(server);
  await becomes(world, server, 'active');
  const { server: seen } = await shown(world, server.id);
  server.address = must(
    Object.values(seen.addresses)
      .flat()
      .find(({ version }) => version === 4),
    'an active server has an address',
  ).addr;
  return server;
}

const softReboot: Operation = {
  name: 'soft reboot',
  from: ['active'],
  async run(world, server) {
    for (let left = 1 + world.random.int(world.reboots); left > 0; left--) {
      // It has to be up to hear that it should go down.
      const before = await inside(world, server, 'cat /proc/sys/kernel/random/boot_id');
      server.bootId ??= before;
      await act(world, server, { reboot: { type: 'SOFT' } });
      await becomes(world, server, 'active');
      booted(server);
    }
  },
};

const rebuild: Operation = {
  name: 'rebuild',
  from: ['active', 'stopped'],
  to: 'active',
  renews: true,
  async run(world, server) {
    const bare = !world.large.has(server.flavor) && world.random.int(2) === 0;
    const imageRef = bare ? world.images.parts : world.images.disk;
    await act(world, server, { rebuild: { imageRef } });
    await becomes(world, server, 'active');
    server.image = { id: imageRef, mark: undefined, bare };
    booted(server);
    const there = await inside(world, server, 'ls /root');
    if (there.includes('mark')) throw new Error(`${server.name} was rebuilt and has its old disk`);
    await mark(world, server);
  },
};

const resize: Operation = {
  name: 'resize',
  from: ['active'],
  to: 'resized',
  async run(world, server) {
    const others = must(world.resizes.get(server.flavor), 'each flavor has others');
    const flavorRef = must(others[world.random.int(others.length)], 'each has one');
    await act(world, server, { resize: { flavorRef } });
    await becomes(world, server, 'resized');
    booted(server);
    server.resizedTo = flavorRef;
  },
};

const confirm: Operation = {
  name: 'confirm',
  from: ['resized'],
  to: 'active',
  async run(world, server) {
    await act(world, server, { confirmResize: null });
    await becomes(world, server, 'active');
    server.flavor = must(server.resizedTo, 'it was resized');
    await memoryIs(world, server);
  },
};

const revert: Operation = {
  name: 'revert',
  tells: true,
  from: ['resized'],
  to: 'active',
  async run(world, server) {
    await act(world, server, { revertResize: null });
    await becomes(world, server, 'active');
    booted(server);
    await memoryIs(world, server);
  },
};

async function memoryIs(world: World, server: Server): Promise<void> {
  const { flavor } = await world.compute<{ flavor: { ram: number } }>('GET', `/flavors/${server.flavor}`);
  const kilobytes = /Max memory:\s+(\d+)/.exec(await virsh('dominfo', await nameOnHost(world, server)))?.[1];
  if (Number(kilobytes) !== flavor.ram * 1024)
    throw new Error(`${server.name} has ${kilobytes} KiB where ${flavor.ram} MB were expected`);
}

const rescue: Operation = {
  name: 'rescue',
  from: ['active', 'stopped'],
  to: 'rescued',
  async run(world, server) {
    await act(world, server, { rescue: { adminPass: 'rescue-me' } });
    await becomes(world, server, 'rescued');
    booted(server);
  },
};

export async function remove(world: World, server: Server): Promise<void> {
  const name = await nameOnHost(world, server);
  await world.compute('DELETE', `/servers/${server.id}`);
  await eventually(`${server.name} is gone`, async () => {
    const row = await world.db.knex('instances').where({ uuid: server.id }).first('deleted', 'vm_state');
    if (row?.vm_state === 'error') throw new Error(`${server.name} cannot be deleted`);
    return row?.deleted !== 0 || undefined;
  });
  world.servers.splice(world.servers.indexOf(server), 1);
  // They outlive their server.
  for (const volume of server.volumes) volume.device = undefined;
  if ((await virsh('list', '--all', '--name')).split('\n').includes(name))
    throw new Error(`${server.name} is deleted and still on its host`);
}

export const OPERATIONS: readonly Operation[] = [
  softReboot,
  simple('hard reboot', ['active'], 'active', { reboot: { type: 'HARD' } }, true),
  simple('pause', ['active'], 'paused', { pause: null }),
  simple('unpause', ['paused'], 'active', { unpause: null }),
  simple('suspend', ['active'], 'suspended', { suspend: null }),
  simple('resume', ['suspended'], 'active', { resume: null }),
  simple('stop', ['active'], 'stopped', { 'os-stop': null }),
  simple('start', ['stopped'], 'active', { 'os-start': null }, true),
  rescue,
  { ...simple('unrescue', ['rescued'], 'active', { unrescue: null }, true), tells: true },
  rebuild,
  resize,
  confirm,
  revert,
  ...snapshots,
  ...volumeOperations,
  ...addresses,
  ...groups,
  {
    name: 'delete',
    from: ['active', 'paused', 'suspended', 'stopped', 'rescued', 'resized'],
    run: remove,
  },
];
