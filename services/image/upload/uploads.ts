import type { Readable } from 'node:stream';
import { Fault, must, type World } from '@folsom/core';
import type { ImageContext } from '../context.ts';
import { imageFault } from '../faults.ts';
import { type Store, type StoredImage, storeFault } from '../stores/store.ts';
import type { OpenNote, UploadJournal, UploadKind } from './journal.ts';

export interface Transfer<T> {
  imageId: string;
  context: ImageContext;
  store: Store;
  data: Readable;
  /** Bytes, or null when unknown. */
  size: number | null;
  /** Opened before the image was; closed here when nothing needs cleaning up. */
  note: OpenNote;
  /** Looks at what was stored; throwing removes it. */
  accept?(stored: StoredImage): void;
  /** The compare-and-set that gives the image its bytes; null when the image is no longer waiting for them. */
  commit(stored: StoredImage): Promise<T | null>;
}

/** The uploads of this process. */
export interface Uploads {
  /** Notes an upload on disk; resolves when the note is durable. */
  note(imageId: string, kind: UploadKind, scheme: string, owner: string | null): Promise<OpenNote>;
  /**
   * Stores an image's bytes and then, in one statement, gives them to the image. Whatever goes wrong: no bytes stay.
   *
   * @throws a fault of the store, of `accept`, or `UploadAborted` when the image was deleted meanwhile.
   */
  transfer<T>(transfer: Transfer<T>): Promise<T>;
  /** Ends the upload of an image that is being deleted. */
  abort(imageId: string): void;
  /** Ends all uploads; each cleans up after itself. */
  stop(): Promise<void>;
  readonly active: number;
}

export function createUploads(parts: { journal: UploadJournal; world: World; sizeMax: number }): Uploads {
  const { journal, world } = parts;
  const running = new Map<string, { controller: AbortController; done: Promise<unknown> }>();

  const remove = async (transfer: Transfer<unknown>, location: string): Promise<void> => {
    try {
      await transfer.store.delete?.(location, transfer.context);
    } catch (error) {
      if (error instanceof Fault && error.name === 'ImageDataNotFound') return;
      throw error;
    }
  };

  const work = async <T>(transfer: Transfer<T>, signal: AbortSignal): Promise<T> => {
    const { imageId } = transfer;
    const stored = await must(
      transfer.store.add,
      'add is there',
    )({
      imageId,
      data: transfer.data,
      size: transfer.size,
      sizeMax: parts.sizeMax,
      context: transfer.context,
      signal,
    });
    let committed: T | null = null;
    let failure: unknown;
    try {
      signal.throwIfAborted();
      transfer.accept?.(stored);
      committed = await transfer.commit(stored);
    } catch (error) {
      failure = error;
    }
    if (committed !== null) return committed;
    await remove(transfer, stored.location);
    throw failure ?? storeFault('UploadAborted');
  };

  return {
    note: (imageId, kind, scheme, owner) =>
      journal.open({ imageId, kind, scheme, owner, startedAt: world.clock.now() }),
    transfer: async transfer => {
      const { imageId } = transfer;
      if (running.has(imageId)) {
        await transfer.note.close();
        throw imageFault('UploadUnderWay', { explanation: `An upload of image ${imageId} is under way.` });
      }
      const controller = new AbortController();
      const done = work(transfer, controller.signal);
      running.set(imageId, { controller, done });
      try {
        return await done;
      } finally {
        running.delete(imageId);
        await transfer.note.close();
      }
    },
    abort: imageId => running.get(imageId)?.controller.abort(storeFault('UploadAborted')),
    stop: async () => {
      const all = [...running.values()];
      for (const { controller } of all) controller.abort(new Error('the service is stopping'));
      await Promise.allSettled(all.map(item => item.done));
    },
    get active() {
      return running.size;
    },
  };
}
