import { constants } from 'node:fs';
import { type FileHandle, link, mkdir, open, readdir, realpath, rm, stat, unlink } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import type { Readable } from 'node:stream';
import { Fault, type World } from '@folsom/core';
import { fileStream, freeChunk } from './chunks.ts';
import { counted, type FlowLimits } from './digest.ts';
import { createDigestedFile } from './digested-file.ts';
import { type Store, storeFault } from './store.ts';

const DIRECTORY_MODE = 0o750;
/** Unfinished files of processes that are gone. */
const STALE_MS = 24 * 3600 * 1000;

const INCOMING = '.incoming';

/**
 * Keeps images as files `<datadir>/<id>`. An upload is written aside, flushed, and linked to its name, which fails when the
 * name is taken: a file of that name is always whole.
 */
export async function fileStore(datadir: string, world: World): Promise<Store & { datadir: string }> {
  const root = resolve(datadir);
  const incoming = join(root, INCOMING);
  await mkdir(incoming, { recursive: true, mode: DIRECTORY_MODE });
  await sweep(incoming, world);

  const pathOf = async (location: string): Promise<string> => {
    const path = filePath(location);
    // Only our own directory: a location written by whoever can reach the registry must not open other files.
    const parent = await realpath(dirname(path)).catch(() => null);
    const home = await realpath(root);
    if (parent === null || (parent !== home && !parent.startsWith(home + sep))) {
      if (parent !== null) world.log.warn('refused an image location outside the file store');
      throw storeFault('ImageDataNotFound');
    }
    return path;
  };

  return {
    datadir: root,
    schemes: ['file', 'filesystem'],
    get: async location => {
      const file = await openFile(await pathOf(location));
      const { size } = await file.stat();
      return { size, data: fileStream(file, size) };
    },
    size: async location => {
      const found = await stat(await pathOf(location)).catch(() => null);
      return found?.isFile() ? found.size : 0;
    },
    add: async ({ imageId, data, size, sizeMax, signal }) => {
      if (!/^[\w{}:-]{1,64}$/.test(imageId)) throw storeFault('BadStoreUri');
      const path = join(root, imageId);
      const aside = join(incoming, `${imageId}.${world.random.hex(8)}`);
      if (await stat(path).catch(() => null)) throw storeFault('DuplicateImageData');
      try {
        const written = await writeDurably(aside, data, size, { sizeMax, signal });
        await link(aside, path);
        await unlink(aside);
        await syncDirectory(root);
        return { location: `file://${path}`, ...written };
      } catch (error) {
        await rm(aside, { force: true });
        throw explain(error);
      }
    },
    delete: async location => {
      const path = await pathOf(location);
      try {
        await unlink(path);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw storeFault('ImageDataNotFound');
        throw storeFault('StoreDeleteDenied', {}, { cause: error });
      }
      await syncDirectory(dirname(path));
    },
    removeLeftovers: async (imageId, _context, keep) => {
      let removed = 0;
      for (const name of await readdir(incoming)) {
        if (!name.startsWith(`${imageId}.`)) continue;
        await rm(join(incoming, name), { force: true });
        removed += 1;
      }
      const path = join(root, imageId);
      if (keep !== `file://${path}` && (await stat(path).catch(() => null))?.isFile()) {
        await unlink(path);
        await syncDirectory(root);
        removed += 1;
      }
      return removed;
    },
  };
}

/** Writes a stream to a new file. Resolves when the bytes are on the disk. */
async function writeDurably(path: string, data: Readable, size: number | null, limits: FlowLimits) {
  const file = await createDigestedFile(path, size);
  try {
    for await (const chunk of counted(data, limits).chunks) {
      await file.write(chunk);
      freeChunk(data, chunk);
    }
    return await file.finish();
  } finally {
    await file.close();
  }
}

/** Path in a `file://` or `filesystem://` location, as Folsom reads it: host and path together. */
function filePath(location: string): string {
  const match = /^(?:file|filesystem):\/\/(.*)$/s.exec(location);
  const path = match?.[1]?.trim();
  if (!path?.startsWith('/') || path.includes('\0')) throw storeFault('BadStoreUri');
  return resolve(path);
}

async function openFile(path: string): Promise<FileHandle> {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    if ((await file.stat()).isFile()) return file;
    await file.close();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'ENOTDIR' && code !== 'ELOOP') {
      throw storeFault('BackendError', {}, { cause: error });
    }
  }
  throw storeFault('ImageDataNotFound');
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function explain(error: unknown): unknown {
  if (error instanceof Fault) return error;
  switch ((error as NodeJS.ErrnoException).code) {
    case 'EEXIST':
      return storeFault('DuplicateImageData');
    case 'ENOSPC':
    case 'EFBIG':
    case 'EDQUOT':
      return storeFault('StorageFull', {}, { cause: error });
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return storeFault('StorageWriteDenied', {}, { cause: error });
    default:
      return error;
  }
}

async function sweep(incoming: string, world: World): Promise<void> {
  for (const name of await readdir(incoming)) {
    const path = join(incoming, name);
    const found = await stat(path).catch(() => null);
    if (!found?.isFile() || world.clock.now() - found.mtimeMs < STALE_MS) continue;
    await rm(path, { force: true });
    world.log.warn('removed an unfinished upload left behind', { file: name });
  }
}
