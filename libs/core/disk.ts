import { statfs } from 'node:fs/promises';

/** With less than this a start would fail half-way and writes soon will: the disk counts as full. */
export const DISK_FULL_BYTES = 64 * 1024 * 1024;

const MIB = 1024 * 1024;
const FULL = new Set<unknown>(['ENOSPC', 'EDQUOT', 'SQLITE_FULL']);
/** MySQL's own words for it: ER_DISK_FULL, ER_RECORD_FILE_FULL. */
const FULL_ERRNO = new Set<unknown>([1021, 1114]);
const CAUSES_MAX = 5;

/** Whether an error, or what caused it, says that a disk has no room left. */
export function isDiskFull(error: unknown): boolean {
  let at = error as { code?: unknown; errno?: unknown; cause?: unknown } | null | undefined;
  for (let depth = 0; depth < CAUSES_MAX && at !== null && typeof at === 'object'; depth++) {
    if (FULL.has(at.code) || FULL_ERRNO.has(at.errno)) return true;
    at = at.cause as typeof at;
  }
  return false;
}

/** What is free on a directory's disk, as `statfs` says it. */
export type LookAtDisk = (directory: string) => Promise<{ bavail: number; bsize: number }>;

/** Whole MiB that are free on the disk of a directory, or undefined where that cannot be told. */
export async function freeMib(directory: string, look: LookAtDisk = statfs): Promise<number | undefined> {
  const at = await look(directory).catch(() => undefined);
  return at && Math.floor((at.bavail * at.bsize) / MIB);
}

/** Resolves while the disk of a directory has room. @throws Error that says how little is left */
export async function requireRoom(directory: string, look: LookAtDisk = statfs): Promise<void> {
  const free = await freeMib(directory, look);
  if (free !== undefined && free * MIB < DISK_FULL_BYTES) {
    throw new Error(`the disk of ${directory} is full: ${free} MiB are free`);
  }
}
