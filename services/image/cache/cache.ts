import { createHash } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { World } from '@folsom/core';
import { createDigestedFile, type DigestedFile } from '../stores/digested-file.ts';
import { type CachedImage, openCacheIndex } from './index-database.ts';

export interface CacheOptions {
  directory: string;
  databaseFile: string;
  /** Bytes to which `prune` cuts the cache. */
  sizeMax: number;
  /** Seconds after which an unfinished file is stale. */
  stallSeconds: number;
  /** Seconds files with wrong contents are kept for a look. */
  invalidGraceSeconds: number;
}

/** Takes the bytes of an image on their way to a client. */
export interface CacheFill {
  /** Resolves when the chunk's memory is the caller's again. */
  write(chunk: Buffer): Promise<void>;
  /** All bytes were seen: keeps them if the checksum is right. Resolves to whether they were kept. */
  commit(): Promise<boolean>;
  /** The bytes ended early or are wrong. */
  abandon(): Promise<void>;
}

/** Copies of images near the API, in Folsom's layout: `<dir>/<id>`, `incomplete/`, `invalid/`, `queue/`, one SQLite file. */
export interface ImageCache {
  /** Bytes of the cached copy, or null. */
  lookup(imageId: string): Promise<number | null>;
  /** Opens the copy and counts a hit; null when it is gone meanwhile. */
  open(imageId: string): Promise<FileHandle | null>;
  /** Begins a copy of so many bytes, if known; null when there is one, or one is being made. */
  fill(imageId: string, size: number | null, checksum: string | null): Promise<CacheFill | null>;
  /** False when there was nothing to remove. */
  remove(imageId: string): Promise<boolean>;
  removeAll(): Promise<number>;
  list(): Promise<CachedImage[]>;
  /** Asks the prefetcher for a copy. False when there is one already, or it was asked for. */
  enqueue(imageId: string): Promise<boolean>;
  /** Ids in the order they were asked for. */
  queued(): Promise<string[]>;
  dequeue(imageId: string): Promise<void>;
  dequeueAll(): Promise<number>;
  /** Removes the longest unused copies until the cache fits. */
  prune(): Promise<{ files: number; bytes: number }>;
  /** Removes unfinished and wrong files that are old. */
  clean(): Promise<number>;
  close(): Promise<void>;
}

const DIRECTORY_MODE = 0o750;
const FILE_MODE = 0o640;

export async function openImageCache(options: CacheOptions, world: World): Promise<ImageCache> {
  const { directory } = options;
  const parts = {
    incomplete: join(directory, 'incomplete'),
    invalid: join(directory, 'invalid'),
    queue: join(directory, 'queue'),
  };
  for (const path of [directory, ...Object.values(parts)]) {
    await mkdir(path, { recursive: true, mode: DIRECTORY_MODE });
  }
  const index = await openCacheIndex(join(directory, options.databaseFile), world);
  const pathOf = (imageId: string, part?: keyof typeof parts): string =>
    join(part ? parts[part] : directory, safeName(imageId));
  const sizeOf = async (path: string): Promise<number | null> => {
    const found = await stat(path).catch(() => null);
    return found?.isFile() ? found.size : null;
  };
  const filesIn = async (path: string): Promise<{ name: string; mtimeMs: number; size: number }[]> => {
    const out: { name: string; mtimeMs: number; size: number }[] = [];
    for (const name of await readdir(path)) {
      if (name.startsWith(options.databaseFile)) continue;
      const found = await stat(join(path, name)).catch(() => null);
      if (found?.isFile()) out.push({ name, mtimeMs: found.mtimeMs, size: found.size });
    }
    return out;
  };
  const stale = (mtimeMs: number, seconds: number): boolean => world.clock.now() - mtimeMs > seconds * 1000;

  const remove = async (imageId: string): Promise<boolean> => {
    const path = pathOf(imageId);
    const existed = (await sizeOf(path)) !== null;
    await rm(path, { force: true });
    await index.remove(imageId);
    return existed;
  };

  return {
    lookup: imageId => sizeOf(pathOf(imageId)),
    open: async imageId => {
      const file = await open(pathOf(imageId), 'r').catch(() => null);
      if (file) await index.hit(imageId, world.clock.now());
      return file;
    },
    fill: async (imageId, size, checksum) => {
      const [path, incomplete] = [pathOf(imageId), pathOf(imageId, 'incomplete')];
      if ((await sizeOf(path)) !== null) return null;
      const other = await stat(incomplete).catch(() => null);
      if (other) {
        if (!stale(other.mtimeMs, options.stallSeconds)) return null;
        await rm(incomplete, { force: true });
      }
      const file = await createDigestedFile(incomplete, size).catch(() => null);
      if (!file) return null;
      return cacheFill(imageId, file, {
        whole: async actual => {
          if (checksum !== null && actual.checksum !== checksum) {
            world.log.error('the data of an image does not match its checksum; it is not cached', {
              image: imageId,
            });
            await rename(incomplete, pathOf(imageId, 'invalid'));
            return false;
          }
          await rename(incomplete, path);
          await rm(pathOf(imageId, 'queue'), { force: true });
          await index.add(imageId, actual.size, world.clock.now());
          return true;
        },
        broken: () => rm(incomplete, { force: true }),
        log: world.log,
      });
    },
    remove,
    removeAll: async () => {
      const files = await filesIn(directory);
      for (const { name } of files) await rm(join(directory, name), { force: true });
      await index.removeAll();
      return files.length;
    },
    list: () => index.list(),
    enqueue: async imageId => {
      if ((await sizeOf(pathOf(imageId))) !== null) return false;
      if ((await sizeOf(pathOf(imageId, 'incomplete'))) !== null) return false;
      const file = await open(pathOf(imageId, 'queue'), 'wx', FILE_MODE).catch(
        (error: NodeJS.ErrnoException) => {
          if (error.code === 'EEXIST') return null;
          throw error;
        },
      );
      await file?.close();
      return file !== null;
    },
    queued: async () =>
      (await filesIn(parts.queue))
        .sort((a, b) => a.mtimeMs - b.mtimeMs || (a.name < b.name ? -1 : 1))
        .map(({ name }) => name),
    dequeue: imageId => rm(pathOf(imageId, 'queue'), { force: true }),
    dequeueAll: async () => {
      const files = await filesIn(parts.queue);
      for (const { name } of files) await rm(join(parts.queue, name), { force: true });
      return files.length;
    },
    prune: async () => {
      const sizes = new Map((await filesIn(directory)).map(({ name, size }) => [name, size]));
      let total = [...sizes.values()].reduce((sum, size) => sum + size, 0);
      const removed = { files: 0, bytes: 0 };
      if (total <= options.sizeMax) return removed;
      for (const imageId of await index.leastUsed()) {
        if (total <= options.sizeMax) break;
        const size = sizes.get(imageId) ?? 0;
        await remove(imageId);
        total -= size;
        removed.files += 1;
        removed.bytes += size;
      }
      return removed;
    },
    clean: async () => {
      let removed = 0;
      for (const [path, seconds] of [
        [parts.incomplete, options.stallSeconds],
        [parts.invalid, options.invalidGraceSeconds],
      ] as const) {
        for (const { name, mtimeMs } of await filesIn(path)) {
          if (!stale(mtimeMs, seconds)) continue;
          await rm(join(path, name), { force: true });
          removed += 1;
        }
      }
      return removed;
    },
    close: () => index.close(),
  };
}

/** A copy that cannot be written is given up; the client that the bytes are for must not notice. */
function cacheFill(
  imageId: string,
  file: DigestedFile,
  then: {
    whole(actual: { size: number; checksum: string }): Promise<boolean>;
    broken(): Promise<void>;
    log: World['log'];
  },
): CacheFill {
  let over = false;
  const abandon = async () => {
    if (over) return;
    over = true;
    await file.close().catch(() => {});
    await then.broken().catch(() => {});
  };
  const unlessBroken = async (work: () => Promise<boolean>): Promise<boolean> => {
    if (over) return false;
    try {
      return await work();
    } catch (error) {
      then.log.error('the copy of an image could not be written to the cache', { image: imageId, error });
      await abandon();
      return false;
    }
  };
  return {
    write: async chunk => {
      await unlessBroken(() => file.write(chunk).then(() => true));
    },
    commit: () =>
      unlessBroken(async () => {
        const actual = await file.finish();
        await file.close();
        const kept = await then.whole(actual);
        over = true;
        return kept;
      }),
    abandon,
  };
}

export type { CachedImage };

/** Ids name files: anything that could be a path is refused by standing for a name that never exists. */
function safeName(imageId: string): string {
  return /^[A-Za-z0-9_{}:-][A-Za-z0-9_.{}:-]{0,127}$/.test(imageId) &&
    !/^(incomplete|invalid|queue)$/.test(imageId)
    ? imageId
    : `unknown-${createHash('sha256').update(imageId).digest('hex')}`;
}
