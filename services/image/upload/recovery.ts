import { Fault, type World } from '@folsom/core';
import type { Database } from '@folsom/db';
import { serviceContext } from '../context.ts';
import type { Image } from '../image.ts';
import { type LocationCipher, plainLocation } from '../registry/encryption.ts';
import { findImage, imagesInStatus, updateImage } from '../repository/images.ts';
import type { ScrubQueue } from '../scrubber/queue.ts';
import type { Stores } from '../stores/index.ts';
import type { UploadJournal, UploadNote } from './journal.ts';

const REPORTED_MAX = 1000;
/** Clocks of the note and of the image's row are the same; this covers the row's cut to seconds. */
const SLACK_MS = 2000;

export interface Recovered {
  /** Images whose upload died and that were set to `killed`. */
  killed: string[];
  /** Orphaned files and objects removed. */
  removed: number;
  /** Images being saved by nobody this host knows of: another host's uploads, or its leftovers. */
  unexplained: string[];
}

/**
 * Cleans up what a process that died in the middle of uploads left: images it was saving become `killed`, reserved ones stay
 * reserved, bytes without an image go. Everything is reported in the log.
 */
export async function recoverUploads(parts: {
  db: Database;
  stores: Stores;
  journal: UploadJournal;
  world: World;
  cipher: LocationCipher | null;
  scrubQueue: ScrubQueue;
}): Promise<Recovered> {
  const { db, stores, journal, world } = parts;
  const context = serviceContext(world);
  const result: Recovered = { killed: [], removed: 0, unexplained: [] };

  for (const note of await journal.abandoned()) {
    const { imageId } = note;
    try {
      let image = await findImage(db, imageId, { withDeleted: true });
      if (note.kind === 'delete') {
        if (image?.deleted && image.location) {
          const location = plainLocation(parts.cipher, image.location);
          result.removed += await finishRemoval(parts, image, location);
        }
        await note.close();
        continue;
      }
      if (image && shouldKill(image, note)) {
        const killed = await updateImage(
          db,
          imageId,
          { values: { status: 'killed' }, from: ['saving', 'queued'] },
          world.clock.now(),
        );
        if (killed) {
          result.killed.push(imageId);
          world.log.warn('an upload was cut off by a crash; the image is killed', { image: imageId });
        }
        image = await findImage(db, imageId, { withDeleted: true });
      }
      const keep = plainLocation(parts.cipher, image?.location ?? null);
      const removed = await stores.byScheme(note.scheme)?.removeLeftovers?.(imageId, context, keep);
      if (removed) {
        result.removed += removed;
        world.log.warn('removed image data left by a crash', { image: imageId, count: removed });
      }
      await note.close();
    } catch (error) {
      world.log.error(
        'an upload cut off by a crash could not be cleaned up; it is tried again at the next start',
        {
          image: imageId,
          error,
        },
      );
    }
  }

  const saving = await imagesInStatus(db, ['saving'], { withDeleted: false, limit: REPORTED_MAX });
  result.unexplained = saving.map(image => image.id);
  if (saving.length > 0) {
    world.log.warn('images are being saved by nobody on this host', {
      count: saving.length,
      images: result.unexplained.slice(0, 20),
    });
  }
  return result;
}

/** Removes, or hands to the scrubber, the bytes of an image whose deletion was cut off. */
async function finishRemoval(
  parts: { stores: Stores; scrubQueue: ScrubQueue; world: World },
  image: Image,
  location: string,
): Promise<number> {
  const { stores, scrubQueue, world } = parts;
  if (image.status === 'pending_delete') {
    await scrubQueue.add(image.id, location, world.clock.now());
    return 0;
  }
  try {
    await stores.forLocation(location).delete?.(location, serviceContext(world));
  } catch (error) {
    if (error instanceof Fault && error.name === 'ImageDataNotFound') return 0;
    throw error;
  }
  world.log.warn('removed the data of an image whose deletion was cut off by a crash', { image: image.id });
  return 1;
}

function shouldKill(image: Image, note: UploadNote): boolean {
  if (image.deleted) return false;
  if (image.status === 'saving') return note.kind !== 'data';
  // A reserved image whose upload had not begun: only the one this upload made itself is given up.
  return (
    image.status === 'queued' &&
    note.kind === 'create' &&
    image.owner === note.owner &&
    image.created_at >= note.startedAt - SLACK_MS
  );
}
