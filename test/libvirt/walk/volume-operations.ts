import { open } from 'node:fs/promises';
import { must } from '@folsom/core';
import { eventually, headOf, inside, type Operation, type Volume, volumeFile, type World } from './world.ts';

/** Volumes of a walk at most. */
const VOLUMES = 2;

const until = (world: World, { id }: Volume, status: string): Promise<unknown> =>
  eventually(`volume ${id} is ${status}`, async () => {
    const { volume } = await world.compute<{ volume: { status: string } }>('GET', `/os-volumes/${id}`);
    if (volume.status.startsWith('error')) throw new Error(`volume ${id} is ${volume.status}`);
    return volume.status === status || undefined;
  });

async function make(world: World): Promise<Volume> {
  const body = { volume: { size: 1, display_name: `volume-${++world.named}` } };
  const { volume } = await world.compute<{ volume: { id: string } }>('POST', '/os-volumes', body);
  const made: Volume = { id: volume.id, device: undefined, bytes: undefined };
  world.volumes.push(made);
  await until(world, made, 'available');
  return made;
}

const free = (world: World): Volume[] => world.volumes.filter(({ device }) => device === undefined);

const attach: Operation = {
  name: 'attach',
  from: ['active'],
  may: (world, server) =>
    server.volumes.length < VOLUMES && (free(world).length > 0 || world.volumes.length < VOLUMES),
  async run(world, server) {
    const volume = free(world)[0] ?? (await make(world));
    const device = must(
      ['vdb', 'vdc'].find(name => server.volumes.every(other => other.device !== name)),
      'it has room',
    );
    await world.compute('POST', `/servers/${server.id}/os-volume_attachments`, {
      volumeAttachment: { volumeId: volume.id, device: `/dev/${device}` },
    });
    await until(world, volume, 'in-use');
    volume.device = device;
    server.volumes.push(volume);
    await eventually(
      `${server.name} sees ${device}`,
      async () => (await inside(world, server, 'cat /proc/partitions')).includes(device) || undefined,
    );
    // What another guest wrote is there, whichever it was.
    const head = await inside(world, server, headOf(device));
    if (head !== (volume.bytes ?? ''))
      throw new Error(`volume ${volume.id} begins with "${head}", not "${volume.bytes}"`);
    volume.bytes = world.random.hex(16);
    await inside(world, server, `echo ${volume.bytes} > /dev/${device}; sync`);
  },
};

async function beginning(path: string, bytes: number): Promise<string> {
  const file = await open(path);
  try {
    const { buffer } = await file.read(Buffer.alloc(bytes), 0, bytes, 0);
    return buffer.toString();
  } finally {
    await file.close();
  }
}

const detach: Operation = {
  name: 'detach',
  after: 'attach',
  from: ['active'],
  may: (_world, server) => server.volumes.length > 0,
  async run(world, server) {
    const volume = must(server.volumes[world.random.int(server.volumes.length)], 'it has one');
    await world.compute('DELETE', `/servers/${server.id}/os-volume_attachments/${volume.id}`);
    await until(world, volume, 'available');
    server.volumes.splice(server.volumes.indexOf(volume), 1);
    volume.device = undefined;
    const written = must(volume.bytes, 'what is attached is written to');
    const head = await beginning(volumeFile(world, volume.id), written.length);
    if (head !== written) throw new Error(`the file of volume ${volume.id} begins with "${head}"`);
  },
};

export const volumeOperations: readonly Operation[] = [attach, detach];

export async function removeVolume(world: World, volume: Volume): Promise<void> {
  await world.compute('DELETE', `/os-volumes/${volume.id}`);
  await eventually(`volume ${volume.id} is gone`, async () => {
    const row = await world.db.knex('volumes').where({ id: volume.id }).first('deleted');
    return row?.deleted !== 0 || undefined;
  });
  world.volumes.splice(world.volumes.indexOf(volume), 1);
}
