import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import {
  type FileHandle,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  rmdir,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { keyedTurns, type Random, systemClock } from '@folsom/core';

/** Bytes of one object: S3's own limit of the time. */
const OBJECT_BYTES_MAX = 5 * 1024 ** 3;
/** Objects that a listing looks at. */
const LISTED_MAX = 100_000;
const NAME_BYTES_MAX = 1_024;
const TURN_WAIT_MS = 60_000;

/** The folder of uploads that are not whole, and that of tenants by bucket; no bucket can be called so. */
const UNFINISHED = '.unfinished';
const OWNERS = '.owners';

export interface ObjectFacts {
  name: string;
  size: number;
  /** Milliseconds since the epoch. */
  modified: number;
}

export interface BucketFacts {
  name: string;
  created: number;
}

/** Directories as buckets: what Folsom's objectstore keeps, byte for byte. */
export interface Buckets {
  /** All of them, or those of a tenant. */
  list(tenant?: string): Promise<BucketFacts[]>;
  has(bucket: string): Promise<boolean>;
  /** The tenant that made it; null where nobody was asked. */
  owner(bucket: string): Promise<string | null>;
  /** False where something is called so already. */
  create(bucket: string, tenant?: string): Promise<boolean>;
  remove(bucket: string): Promise<'removed' | 'missing' | 'in use'>;
  /** Names in order. Null without such a bucket. */
  objects(bucket: string): Promise<string[] | null>;
  facts(bucket: string, name: string): Promise<ObjectFacts | null>;
  /** An object as it is now, whatever becomes of its name; `body` has to be read or destroyed. */
  read(bucket: string, name: string): Promise<{ facts: ObjectFacts; body: Readable } | null>;
  /**
   * The MD5 of what was written; null where there is no such bucket of the tenant's, or not any more when the body has come.
   * @throws ObjectTooLarge
   */
  write(bucket: string, name: string, body: AsyncIterable<Buffer>, tenant?: string): Promise<string | null>;
  delete(bucket: string, name: string): Promise<boolean>;
}

export class ObjectTooLarge extends Error {}

/** A name that is one folder's entry. */
const isEntry = (name: string): boolean =>
  name !== '' && name !== '.' && name !== '..' && !/[/\0]/.test(name) && Buffer.byteLength(name) <= 255;

export const isBucketName = (name: string): boolean => isEntry(name) && !name.startsWith('.');

/** Slashes are folders below the bucket's; no part of the name may lead anywhere else. */
export const isObjectName = (name: string): boolean =>
  Buffer.byteLength(name) <= NAME_BYTES_MAX && name.split('/').every(isEntry);

export function bucketsIn(root: string, random: Random): Buckets {
  const folder = (bucket: string) => join(root, bucket);
  const file = (bucket: string, name: string) => join(root, bucket, name);
  const isFolder = async (path: string): Promise<boolean> =>
    (await lstat(path).catch(() => null))?.isDirectory() ?? false;

  const ownerFile = (bucket: string) => join(root, OWNERS, bucket);
  const owner = (bucket: string): Promise<string | null> =>
    readFile(ownerFile(bucket), 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      throw error;
    });
  /** Whose it is stands there before the bucket does. False where the name is another's. */
  const claim = async (bucket: string, tenant: string): Promise<boolean> => {
    await mkdir(join(root, OWNERS), { recursive: true, mode: 0o700 });
    try {
      await writeFile(ownerFile(bucket), tenant, { flag: 'wx', mode: 0o600 });
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      return (await owner(bucket)) === tenant;
    }
  };

  const writeIn = async (here: FileHandle, name: string, body: AsyncIterable<Buffer>) => {
    await mkdir(join(root, UNFINISHED), { recursive: true, mode: 0o700 });
    const unfinished = join(root, UNFINISHED, random.uuid());
    try {
      const md5 = await written(unfinished, body);
      if (await placed(unfinished, here, name)) return md5;
    } catch (error) {
      await rm(unfinished, { force: true });
      throw error;
    }
    await rm(unfinished, { force: true });
    return null;
  };
  /** Buckets are made and removed one after the other: the owner goes after the folder. */
  const turns = keyedTurns(1, TURN_WAIT_MS, systemClock);

  return {
    owner,
    list: async tenant => {
      const names = (await readdir(root)).filter(isBucketName).sort();
      const found: BucketFacts[] = [];
      for (const name of names) {
        const info = await lstat(folder(name)).catch(() => null);
        if (tenant !== undefined && (await owner(name)) !== tenant) continue;
        if (info?.isDirectory()) found.push({ name, created: info.ctimeMs });
      }
      return found;
    },
    has: bucket => isFolder(folder(bucket)),
    create: (bucket, tenant) =>
      turns(bucket, async () => {
        if (tenant !== undefined && !(await claim(bucket, tenant))) return false;
        try {
          await mkdir(folder(bucket), { mode: 0o700 });
          return true;
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
          throw error;
        }
      }),
    remove: bucket =>
      turns(bucket, async () => {
        if (!(await isFolder(folder(bucket)))) return 'missing';
        try {
          await rmdir(folder(bucket));
          await rm(ownerFile(bucket), { force: true });
          return 'removed';
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code === 'ENOTEMPTY') return 'in use';
          throw error;
        }
      }),
    objects: async bucket => ((await isFolder(folder(bucket))) ? namesBelow(folder(bucket)) : null),
    facts: async (bucket, name) => {
      // Not what a link leads to.
      const info = await lstat(file(bucket, name)).catch(() => null);
      return info?.isFile() ? { name, size: info.size, modified: info.mtimeMs } : null;
    },
    read: async (bucket, name) => {
      const handle = await open(file(bucket, name), constants.O_RDONLY | constants.O_NOFOLLOW).catch(
        () => null,
      );
      const info = await handle?.stat();
      if (handle && info?.isFile())
        return { facts: { name, size: info.size, modified: info.mtimeMs }, body: handle.createReadStream() };
      await handle?.close();
      return null;
    },
    write: async (bucket, name, body, tenant) => {
      // This very folder: another may be called so when the body has come.
      const here = await open(folder(bucket), constants.O_RDONLY | constants.O_DIRECTORY).catch(unlessGone);
      if (!here) return null;
      try {
        if (tenant !== undefined && (await owner(bucket)) !== tenant) return null;
        return await writeIn(here, name, body);
      } finally {
        await here.close();
      }
    },
    delete: async (bucket, name) => {
      const info = await lstat(file(bucket, name)).catch(() => null);
      if (!info?.isFile()) return false;
      const gone = await unlink(file(bucket, name)).then(() => true, unlessGone);
      if (!gone) return false;
      await dropEmptyFolders(folder(bucket), dirname(file(bucket, name)));
      return true;
    },
  };
}

/** How often the folders of a name are made anew that go with the last object in them. */
const PLACE_TRIES = 10;

/** Gives what was written its name; false where the bucket has been removed meanwhile. */
async function placed(unfinished: string, bucket: FileHandle, name: string): Promise<boolean> {
  const folders = name.split('/').slice(0, -1);
  // Below what is open, wherever its name leads now; nothing can be made in a folder that was removed.
  const here = `/proc/self/fd/${bucket.fd}`;
  for (let tries = 1; ; tries++) {
    try {
      for (let depth = 1; depth <= folders.length; depth++)
        await mkdir(join(here, ...folders.slice(0, depth)), { mode: 0o700 }).catch(unlessThere);
      await rename(unfinished, join(here, name));
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      if ((await bucket.stat()).nlink === 0) return false;
      if (tries === PLACE_TRIES) throw error;
    }
  }
}

function unlessThere(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error;
}

function unlessGone(error: NodeJS.ErrnoException): null {
  if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw error;
  return null;
}

async function written(path: string, body: AsyncIterable<Buffer>): Promise<string> {
  const digest = createHash('md5');
  const handle = await open(path, 'wx', 0o600);
  let size = 0;
  try {
    for await (const piece of body) {
      size += piece.length;
      if (size > OBJECT_BYTES_MAX) throw new ObjectTooLarge('the object is too large');
      digest.update(piece);
      // All of it: a plain write may take less than it is given.
      await handle.appendFile(piece);
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
  return digest.digest('hex');
}

async function namesBelow(root: string): Promise<string[]> {
  const names: string[] = [];
  const walk = async (folder: string, prefix: string): Promise<void> => {
    // Gone since it was seen: so are its objects.
    const entries = await readdir(folder, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      throw error;
    });
    for (const entry of entries) {
      if (names.length >= LISTED_MAX) return;
      if (entry.isDirectory()) await walk(join(folder, entry.name), `${prefix}${entry.name}/`);
      else if (entry.isFile()) names.push(prefix + entry.name);
    }
  };
  await walk(root, '');
  return names.sort();
}

/** Folders that an object's name made go with it: a bucket without objects can be removed. */
async function dropEmptyFolders(bucket: string, from: string): Promise<void> {
  for (let at = from; at !== bucket; at = dirname(at)) {
    const gone = await rmdir(at).then(
      () => true,
      () => false,
    );
    if (!gone) return;
  }
}
