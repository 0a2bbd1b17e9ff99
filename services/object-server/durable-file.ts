import {
  closeSync,
  constants,
  fstatSync,
  fsync,
  mkdirSync,
  openSync,
  renameSync,
  statfsSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import type { Random } from '@folsom/core';
import { linkDescriptor } from '@folsom/host/xattr';

const fsyncFile = promisify(fsync);

/** A file being written on a device; it has no name that anybody reads until it is committed. */
export interface NewFile {
  fd: number;
  /** Its name under `tmp`; null if it has none at all. */
  path: string | null;
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
      return { fd: openSync(tmp, constants.O_RDWR | O_TMPFILE, 0o600), path: null };
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
  return { fd: openSync(path, 'wx+', 0o600), path };
}

/** Lets go of a file that will not be committed (or was). */
export function discard(file: NewFile): void {
  closeSync(file.fd);
  if (file.path === null) return;
  try {
    unlinkSync(file.path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

/**
 * Puts a written file on disk under its name, replacing one of that name. When this resolves the bytes, the
 * attributes and the name survive a crash of the machine.
 */
export async function commit(file: NewFile, path: string, device: string, random: Random): Promise<void> {
  await fsyncFile(file.fd);
  const made = place(file, path, device, random);
  await syncDirectories(dirname(path), made, device);
}

/** Names the file; the topmost directory that had to be made for it, or null. */
function place(file: NewFile, path: string, device: string, random: Random): string | null {
  let made: string | null = null;
  for (let attempt = 0; ; attempt++) {
    try {
      if (file.path !== null) renameSync(file.path, path);
      else linkDescriptor(file.fd, path);
      return made;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT' && attempt < 3) {
        // New, or a replicator removed the empty directory just now, or the device itself is gone from under its
        // path: directories made there would lie on another file system.
        if (fstatSync(file.fd).dev !== statSync(device).dev) throw gone(device);
        const first = mkdirSync(dirname(path), { recursive: true });
        if (first !== undefined && (made === null || first.length < made.length)) made = first;
      } else if (code === 'EEXIST' && file.path === null) {
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

/** statfs types of ext4 and XFS. */
const ONE_JOURNAL = new Set([0xef53, 0x58465342]);
const journals = new Map<string, boolean>();

/**
 * Whether a device's file system keeps all metadata in one journal in order, so that syncing a directory puts on
 * disk, too, how it came to be. Syncing those above would only flush the disk's cache once more for each.
 */
function hasOneJournal(device: string): boolean {
  let known = journals.get(device);
  if (known === undefined) {
    known = ONE_JOURNAL.has(statfsSync(device).type);
    journals.set(device, known);
  }
  return known;
}

/** Syncs a directory, and where need be those above it up to the one that holds `made`. */
async function syncDirectories(directory: string, made: string | null, device: string): Promise<void> {
  let at = directory;
  await syncDirectory(at);
  if (made === null || hasOneJournal(device)) return;
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
    await commit(file, path, device, random);
  } finally {
    discard(file);
  }
}
