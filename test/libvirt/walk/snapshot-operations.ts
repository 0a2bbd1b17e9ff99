import { must } from '@folsom/core';
import { act, becomes, eventually, type Operation, type Server, type World } from './world.ts';

interface ImageFacts {
  id: string;
  status: string;
  name: string;
}

/** The caller's images that carry a name, oldest first. */
async function named(world: World, name: string): Promise<ImageFacts[]> {
  const answer = await world.image('GET', `/images/detail?name=${name}&sort_key=created_at&sort_dir=asc`);
  if (answer.status !== 200) throw new Error(`images: ${answer.status} ${answer.bytes}`);
  return answer.json.images;
}

async function forget(world: World, id: string): Promise<void> {
  const answer = await world.image('DELETE', `/images/${id}`);
  if (answer.status !== 200) throw new Error(`image ${id} is not deleted: ${answer.status} ${answer.bytes}`);
}

/** The one image made since `before`, when it is whole. */
const whole = (world: World, name: string): Promise<ImageFacts> =>
  eventually(`the image ${name}`, async () => {
    const [image] = (await named(world, name)).toReversed();
    if (image?.status === 'killed') throw new Error(`the image ${name} has failed`);
    return image?.status === 'active' ? image : undefined;
  });

/** The image of a filesystem of a gigabyte has a gigabyte of bytes: on a machine that emulates guests that takes minutes. */
const may = (world: World, { image, flavor }: Server): boolean => !image.bare || !world.large.has(flavor);

const snapshot: Operation = {
  name: 'snapshot',
  from: ['active', 'stopped'],
  may,
  async run(world, server) {
    const name = `snapshot-${++world.named}`;
    const { state } = server;
    await act(world, server, { createImage: { name } });
    const image = await whole(world, name);
    await becomes(world, server, state);
    world.snapshots.push({ id: image.id, mark: server.mark, bare: server.image.bare });
    const unused = ({ id }: { id: string }) => world.servers.every(other => other.image.id !== id);
    const old = world.snapshots.slice(0, -2).filter(unused);
    world.snapshots = world.snapshots.filter(one => !old.includes(one));
    for (const { id } of old) await forget(world, id);
  },
};

const KEPT = 1;

const backup: Operation = {
  name: 'backup',
  from: ['active'],
  may,
  async run(world, server) {
    const name = `backup-${++world.named}`;
    const made: string[] = [];
    for (let left = KEPT + 1; left > 0; left--) {
      await act(world, server, { createBackup: { name, backup_type: 'daily', rotation: KEPT } });
      await becomes(world, server, 'active');
      const image = must((await named(world, name)).at(-1), 'a backup that has ended is an image');
      made.push(image.id);
    }
    const kept = await named(world, name);
    if (kept.map(({ id, status }) => `${id} ${status}`).join() !== `${made.at(-1)} active`)
      throw new Error(`backups ${JSON.stringify(kept)} are kept of ${made} where the last was expected`);
    for (const { id } of kept) await forget(world, id);
  },
};

export const snapshots: readonly Operation[] = [snapshot, backup];
