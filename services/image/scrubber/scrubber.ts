import { Fault, type World } from '@folsom/core';
import type { ImageContext } from '../context.ts';
import { isRegistryFailure } from '../faults.ts';
import type { Registry } from '../registry/registry.ts';
import type { Stores } from '../stores/index.ts';
import type { ScrubEntry, ScrubQueue } from './queue.ts';

export interface ScrubberParts {
  queue: ScrubQueue;
  stores: Stores;
  registry: Registry;
  world: World;
  context: ImageContext;
  /** Also look in the database for pending deletes that nobody queued, this many seconds after the deletion. */
  cleanupSeconds: number | null;
}

/** How long an entry waits whose store did not answer. */
const RETRY_MS = 300_000;
const PAGE = 1000;

/** Removes the bytes of deleted images that are due. Resolves to the number removed; safe to run beside another. */
export async function scrub(parts: ScrubberParts): Promise<number> {
  const { queue, world } = parts;
  let removed = 0;
  for (const entry of await queue.due(world.clock.now())) {
    if (await scrubOne(parts, entry)) removed += 1;
  }
  if (parts.cleanupSeconds !== null) removed += await cleanUp(parts, parts.cleanupSeconds);
  if (removed > 0) world.log.info('removed the data of deleted images', { count: removed });
  return removed;
}

async function scrubOne(parts: ScrubberParts, entry: ScrubEntry): Promise<boolean> {
  const { queue, stores, registry, world, context } = parts;
  try {
    await stores.forLocation(entry.location).delete?.(entry.location, context);
  } catch (error) {
    if (!(error instanceof Fault && error.name === 'ImageDataNotFound')) {
      world.log.error('the data of a deleted image could not be removed; it is tried again later', {
        image: entry.imageId,
        error,
      });
      await queue.postpone(entry, world.clock.now() + RETRY_MS);
      return false;
    }
  }
  try {
    await registry.update(context, entry.imageId, { status: 'deleted' });
  } catch (error) {
    if (!isRegistryFailure(error, 404)) {
      world.log.error('a scrubbed image could not be marked deleted; it is tried again later', {
        image: entry.imageId,
        error,
      });
      await queue.postpone(entry, world.clock.now() + RETRY_MS);
      return false;
    }
  }
  await queue.remove(entry.imageId);
  return true;
}

async function cleanUp(parts: ScrubberParts, seconds: number): Promise<number> {
  const { queue, registry, world, context } = parts;
  const now = world.clock.now();
  const last = await queue.lastCleanup();
  if (last !== null && last + seconds * 1000 > now) return 0;
  await queue.noteCleanup(now);
  if (last === null) return 0;
  let removed = 0;
  const pending = await registry.detail(context, {
    deleted: 'True',
    is_public: 'none',
    status: 'pending_delete',
    limit: String(PAGE),
  });
  for (const image of pending) {
    const deletedAt = image.deleted_at === null ? Number.NaN : Date.parse(`${image.deleted_at}Z`);
    if (!image.location || Number.isNaN(deletedAt) || deletedAt + seconds * 1000 > now) continue;
    const entry = { imageId: image.id, location: image.location, dueAt: now };
    if (await scrubOne(parts, entry)) removed += 1;
  }
  return removed;
}
