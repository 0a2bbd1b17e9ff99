import {
  close,
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsync,
  mkdirSync,
  openSync,
  readFileSync,
  readlinkSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { basename, dirname } from 'node:path';
import { promisify } from 'node:util';
import type { Random } from '@folsom/core';
import { linkDescriptor, writeOut } from '@folsom/host/xattr';

const fsyncFile = promisify(fsync);

/** A file being written on a device; it has no name that anybody reads until it is committed. */
export interface NewFile {
  fd: number;
  /** Its name under `tmp`; null if it has none at all. */
  path: string | null;
  /** Whether it has the name it was written for. */
  placed: boolean;
}

const O_TMPFILE = constants.O_DIRECTORY | 0o20000000;
/** Devices whose file system has no nameless files. */
const named = new Set<string>();

/** Opens a new file on a device. Nameless where possible: then nothing is left behind if the process dies. */
export function newFile(device: string, random: Random): NewFile {
  const tmp = `${device}/tmp`;
  if (!known.has(device)) requireDevice(device);
  if (!named.has(device)) {
    try {
      return { fd: openSync(tmp, constants.O_RDWR | O_TMPFILE, 0o600), path: null, placed: false };
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT') {
        requireDevice(device);
        mkdirSync(tmp, { recursive: true });
        return newFile(device, random);
      }
      if (code !== 'EOPNOTSUPP' && code !== 'EISDIR' && code !== 'EINVAL') throw error;
      named.add(device);
    }
  }
  requireDevice(device);
  mkdirSync(tmp, { recursive: true });
  const path = `${tmp}/${random.hex(16)}`;
  return { fd: openSync(path, 'wx+', 0o600), path, placed: false };
}

/** Lets go of a file that will not be committed (or was). */
export function discard(file: NewFile): void {
  // The last close of a large nameless file frees all its blocks, which some disks take long for. One that stays has
  // nothing to free: asking another thread would cost more than closing it.
  if (file.placed) closeSync(file.fd);
  else close(file.fd, () => {});
  if (file.path === null) return;
  try {
    unlinkSync(file.path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

export interface CommitOptions {
  device: string;
  random: Random;
  /** False if the directory of the new name is known to be missing. */
  directoryThere?: boolean;
  /** Nobody looks into the file: its name may come to the disk before the rest of it. */
  nameSaysAll?: boolean;
}

/**
 * Puts a written file on disk under its name, replacing one of that name. When this resolves the bytes, the
 * attributes and the name survive a crash of the machine.
 */
export async function commit(file: NewFile, path: string, options: CommitOptions): Promise<void> {
  const { dev, size } = fstatSync(file.fd);
  const kind = journalOf(options.device, dev);
  const directory = dirname(path);
  if (kind === 'one') {
    // The name is noted in the journal after everything about the file, and the disk has its bytes before that: one
    // sync makes all of it last.
    if (size > 0) await writeOut(file.fd);
    place(file, path, options);
    await syncShared(directory, dev);
    return;
  }
  const nameless = file.path === null;
  if (!options.nameSaysAll || !nameless || kind === 'unknown') await fsyncFile(file.fd);
  const made = place(file, path, options);
  const syncing = async (): Promise<void> => {
    // To get its first name is a change of the file, too.
    if (nameless) await fsyncFile(file.fd);
    // One that replaces another went by a name of its own in between.
    if (file.path !== null || kind === 'unknown') await syncDirectories(directory, made);
  };
  await (made === null ? syncing() : withUnsynced(made, directory, syncing));
  await untilSynced(directory, options.device);
}

/** Directories that were made and are not on disk yet: whoever puts a file there waits, too. */
const unsynced = new Map<string, Promise<void>>();

async function withUnsynced(made: string, directory: string, sync: () => Promise<void>): Promise<void> {
  const mine: string[] = [];
  for (let at = directory; at.length >= made.length; at = dirname(at)) mine.push(at);
  const synced = sync();
  const settled = synced.catch(() => {});
  for (const at of mine) unsynced.set(at, settled);
  try {
    await synced;
  } finally {
    for (const at of mine) if (unsynced.get(at) === settled) unsynced.delete(at);
  }
}

async function untilSynced(directory: string, device: string): Promise<void> {
  if (unsynced.size === 0) return;
  for (let at = directory; at.length > device.length; at = dirname(at)) await unsynced.get(at);
}

/** Names the file; the topmost directory that had to be made for it, or null. */
function place(
  file: NewFile,
  path: string,
  { device, random, directoryThere = true }: CommitOptions,
): string | null {
  let made: string | null = null;
  const make = () => {
    // A device that is gone from under its path: directories made there would lie on another file system.
    if (fstatSync(file.fd).dev !== statSync(device).dev) throw gone(device);
    const first = mkdirSync(dirname(path), { recursive: true });
    if (first !== undefined && (made === null || first.length < made.length)) made = first;
  };
  if (!directoryThere) make();
  for (let attempt = 0; ; attempt++) {
    try {
      if (file.path !== null) renameSync(file.path, path);
      else linkDescriptor(file.fd, path);
      file.placed = true;
      return made;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // New, or a replicator removed the empty directory just now.
      if (code === 'ENOENT' && attempt < 3) make();
      else if (code === 'EEXIST' && file.path === null) {
        // A link never replaces: take a name in tmp first, then move over.
        const beside = `${device}/tmp/${random.hex(16)}`;
        linkDescriptor(file.fd, beside);
        file.path = beside;
      } else {
        throw error;
      }
    }
  }
}

/** Whether each device used so far has been seen as a mount point. */
const known = new Map<string, boolean>();

/**
 * Before a directory is made on a device: if the device was a mount point and is none any more, it was taken away
 * under a request, and what is made there would lie hidden under the next mount.
 * @throws ENODEV
 */
function requireDevice(device: string): void {
  const isMountPoint = statSync(device).dev !== statSync(dirname(device)).dev;
  if (!isMountPoint && known.get(device)) throw gone(device);
  known.set(device, isMountPoint);
}

const gone = (device: string): NodeJS.ErrnoException =>
  Object.assign(new Error(`ENODEV: ${device} is not the file system it was`), { code: 'ENODEV' });

/**
 * How a file system keeps its metadata: in one journal, in order, so that a sync covers all changes before it, to
 * whatever file or directory; in none, where ext4 syncs a file together with the new directories above it; or we do not
 * know.
 */
type Journal = 'one' | 'none' | 'unknown';

const journals = new Map<string, Journal>();

function journalOf(device: string, dev: number): Journal {
  const key = `${dev} ${device}`;
  let found = journals.get(key);
  if (!found) {
    const { type, disk } = fileSystemOf(device);
    if (type === 'xfs' || (type === 'ext4' && existsSync(`/proc/fs/jbd2/${disk}-8`))) found = 'one';
    else found = type === 'ext4' ? 'none' : 'unknown';
    journals.set(key, found);
  }
  return found;
}

/** Type of the file system a directory lies on and the kernel's name of its disk; empty where they cannot be told. */
function fileSystemOf(path: string): { type: string; disk: string } {
  try {
    const { dev } = statSync(path);
    // As the kernel packs them: 12 bits of major, 20 bits of minor number.
    const major = Math.floor(dev / 256) & 0xfff;
    const minor = (dev & 0xff) | ((Math.floor(dev / 0x100000) & 0xfff) << 8);
    const number = `${major}:${minor}`;
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
    const mount = mounts.findLast(line => line.split(' ', 3)[2] === number);
    const type = mount?.split(' - ')[1]?.split(' ')[0] ?? '';
    return { type, disk: basename(readlinkSync(`/sys/dev/block/${number}`)) };
  } catch {
    return { type: '', disk: '' };
  }
}

/** The sync of a file system that has begun, and the one that all who came since will share. */
interface SharedSyncs {
  running: Promise<void>;
  next: Promise<void> | null;
  /** The directory changed last. */
  latest: string;
}

/** By the number of the file system. */
const syncing = new Map<number, SharedSyncs>();

/**
 * Syncs a directory changed just now. With one journal the sync of the directory that was changed last covers the
 * changes made before it, so that writers side by side need one between them.
 */
function syncShared(directory: string, dev: number): Promise<void> {
  let syncs = syncing.get(dev);
  if (!syncs) {
    syncs = { running: Promise.resolve(), next: null, latest: directory };
    syncing.set(dev, syncs);
  }
  const mine = syncs;
  mine.latest = directory;
  mine.next ??= mine.running.then(() => {
    mine.next = null;
    const started = syncDirectory(mine.latest);
    mine.running = started.catch(() => {});
    return started;
  });
  return mine.next.catch((error: NodeJS.ErrnoException) => {
    // The other's directory may have been moved away, which says nothing about this one. A disk that failed has
    // failed for all, and would not say so twice.
    if (error.code !== 'ENOENT') throw error;
    return syncDirectory(directory);
  });
}

/** Syncs a directory and those above it up to the one that holds `made`. */
async function syncDirectories(directory: string, made: string | null): Promise<void> {
  let at = directory;
  await syncDirectory(at);
  if (made === null) return;
  const top = dirname(made);
  while (at !== top && at.length > top.length) {
    at = dirname(at);
    await syncDirectory(at);
  }
}

async function syncDirectory(path: string): Promise<void> {
  const fd = openSync(path, 'r');
  try {
    await fsyncFile(fd);
  } finally {
    closeSync(fd);
  }
}

/** Writes a small file as a whole, on disk when this resolves. `path` must lie on the device. */
export async function writeDurably(
  device: string,
  path: string,
  bytes: Uint8Array,
  random: Random,
): Promise<void> {
  const file = newFile(device, random);
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(file.fd, bytes, at);
    await commit(file, path, { device, random });
  } finally {
    discard(file);
  }
}
