import { createHash } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmdirSync,
  statSync,
  unlinkSync,
  utimesSync,
  writeSync,
} from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Clock, Logger } from '@folsom/core';
import { openDirectoryLock, tryLockFile } from '@folsom/host/file-lock';
import { pickle, unpickleDict } from '@folsom/pickle';
import { LRUCache } from 'lru-cache';

/** Suffix → MD5 of the names of the files below it; null when it has to be computed anew. */
export type SuffixHashes = Record<string, string | null>;

const FILE = 'hashes.pkl';
const LOCK_MS = 10_000;
const LOCK_STEP_MS = 5;
const ATTEMPTS_MAX = 20;

const readHashes = (partition: string): SuffixHashes | null => {
  try {
    const read = unpickleDict(readFileSync(join(partition, FILE)));
    for (const value of Object.values(read)) if (value !== null && typeof value !== 'string') return null;
    return read as SuffixHashes;
  } catch {
    return null;
  }
};

const mtimeOf = (path: string): bigint | null =>
  statSync(path, { bigint: true, throwIfNoEntry: false })?.mtimeNs ?? null;

const MARKED_MAX = 20_000;

/** `hashes.pkl` files that are known to have a suffix marked: path → time of the file, suffixes. */
const marked = new LRUCache<string, { mtime: bigint; suffixes: Set<string> }>({ max: MARKED_MAX });

/**
 * Marks a suffix as changed, for the replicator. Called after the change. If the mark is there already the file's time
 * is moved: a replicator that began to hash before the change must not write its result.
 */
export async function invalidateSuffix(suffixDir: string, clock: Clock): Promise<void> {
  const partition = dirname(suffixDir);
  const suffix = basename(suffixDir);
  const path = join(partition, FILE);
  const mtime = mtimeOf(path);
  if (mtime === null) return;
  const known = marked.get(path);
  if (known?.mtime === mtime && known.suffixes.has(suffix)) {
    touch(path, clock);
    known.mtime = mtimeOf(path) ?? 0n;
    return;
  }
  await withLock(partition, clock, () => {
    const hashes = readHashes(partition);
    if (!hashes) return;
    if (suffix in hashes && !hashes[suffix]) {
      touch(path, clock);
    } else {
      hashes[suffix] = null;
      writeHashes(partition, hashes);
    }
    const suffixes = Object.keys(hashes).filter(name => hashes[name] === null);
    marked.set(path, { mtime: mtimeOf(path) ?? 0n, suffixes: new Set(suffixes) });
  });
}

/** The same where nothing can be awaited: if the lock is taken, the file is removed and everything hashed anew. */
export function invalidateSuffixSoon(suffixDir: string): void {
  const partition = dirname(suffixDir);
  try {
    const lock = openDirectoryLock(partition);
    try {
      const hashes = tryLockFile(lock) ? readHashes(partition) : null;
      if (hashes) writeHashes(partition, { ...hashes, [basename(suffixDir)]: null });
      else unlinkSync(join(partition, FILE));
    } finally {
      closeSync(lock);
    }
  } catch {
    // No hashes yet: the next replication makes them.
  }
}

function touch(path: string, clock: Clock): void {
  const now = clock.now() / 1000;
  try {
    utimesSync(path, now, now);
  } catch {
    // gone: whoever made it away computes everything anew
  }
}

function writeHashes(partition: string, hashes: SuffixHashes): void {
  const beside = join(partition, `${FILE}.${process.pid}.tmp`);
  const fd = openSync(beside, 'w', 0o600);
  try {
    writeSync(fd, pickle(hashes));
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(beside, join(partition, FILE));
}

async function withLock(directory: string, clock: Clock, work: () => void): Promise<void> {
  const lock = openDirectoryLock(directory);
  try {
    for (let waited = 0; !tryLockFile(lock); waited += LOCK_STEP_MS) {
      if (waited > LOCK_MS) throw new Error(`no lock on ${directory} within ${LOCK_MS / 1000} s`);
      await clock.sleep(LOCK_STEP_MS);
    }
    work();
  } finally {
    closeSync(lock);
  }
}

export interface HashingOptions {
  clock: Clock;
  log: Logger;
  /** Tombstones older than this are removed, seconds. */
  reclaimAge: number;
  /** Suffixes to hash again whatever the file says. */
  recalculate?: readonly string[];
  /** Look which suffixes exist instead of believing the file. */
  list?: boolean;
  /** Called for what is no object's directory; moves it away. */
  quarantine(device: string, path: string): void;
}

export const RECLAIM_AGE_SECONDS = 7 * 86_400;
const SUFFIX = /^[0-9a-f]{3}$/;

/**
 * The hashes of a partition, brought up to date: what is marked is hashed, and the result written for the next time
 * unless something changed meanwhile.
 */
export async function suffixHashes(
  partition: string,
  options: HashingOptions,
): Promise<{ hashed: number; hashes: SuffixHashes }> {
  let hashed = 0;
  let list = options.list ?? false;
  for (let attempt = 1; ; attempt++) {
    const path = join(partition, FILE);
    const before = mtimeOf(path);
    const stored = before === null ? null : readHashes(partition);
    const hashes: SuffixHashes = Object.assign(Object.create(null) as SuffixHashes, stored);
    if (!stored) list = true;
    let modified = list;
    if (list) {
      for (const entry of await readdir(partition, { withFileTypes: true })) {
        if (entry.isDirectory() && SUFFIX.test(entry.name)) hashes[entry.name] ??= null;
      }
    }
    for (const suffix of options.recalculate ?? []) if (SUFFIX.test(suffix)) hashes[suffix] = null;
    for (const suffix of Object.keys(hashes)) {
      if (hashes[suffix]) continue;
      modified = true;
      const hash = await hashSuffix(join(partition, suffix), options);
      if (hash === null) {
        delete hashes[suffix];
      } else {
        hashes[suffix] = hash;
        hashed++;
      }
    }
    if (!modified) return { hashed, hashes };
    let written = false;
    await withLock(partition, options.clock, () => {
      if (mtimeOf(path) !== before) return;
      writeHashes(partition, hashes);
      written = true;
    });
    // Under steady writes nothing is ever final; the marks that others set stay in the file.
    if (written || attempt >= ATTEMPTS_MAX) return { hashed, hashes };
  }
}

/**
 * MD5 over the names of all files of a suffix, after files that newer ones supersede and old tombstones are gone.
 * Null if there is no such suffix.
 */
async function hashSuffix(path: string, options: HashingOptions): Promise<string | null> {
  const md5 = createHash('md5');
  let hashes: string[];
  try {
    hashes = (await readdir(path)).sort();
  } catch (error) {
    if (isCode(error, 'ENOENT', 'ENOTDIR')) return null;
    throw error;
  }
  for (const hash of hashes) {
    const directory = join(path, hash);
    let names: string[];
    try {
      names = await readdir(directory);
    } catch (error) {
      if (isCode(error, 'ENOENT')) continue;
      if (!isCode(error, 'ENOTDIR')) throw error;
      options.log.error('quarantined what is not a directory', { path: directory });
      options.quarantine(dirname(dirname(dirname(path))), directory);
      continue;
    }
    const kept = cleanDirectory(directory, names, options.clock.now() / 1000 - options.reclaimAge);
    if (kept.length === 0) quietly(() => rmdirSync(directory));
    for (const name of kept) md5.update(name, 'latin1');
  }
  quietly(() => rmdirSync(path));
  return md5.digest('hex');
}

/** Removes what newer files supersede; the names that stay, newest first (a single one as it is). */
function cleanDirectory(directory: string, names: readonly string[], reclaimBefore: number): string[] {
  if (names.length === 1) {
    const [name] = names as [string];
    if (!name.endsWith('.ts') || Number(name.slice(0, -3)) >= reclaimBefore) return [name];
    unlinkSync(join(directory, name));
    return [];
  }
  const sorted = [...names].sort().reverse();
  const newest = (ending: string) => sorted.find(name => name.endsWith(ending)) ?? '';
  const [meta, data, tombstone] = [newest('.meta'), newest('.data'), newest('.ts')];
  return sorted.filter(name => {
    const stale = name < tombstone || name < data || (name.endsWith('.meta') && name < meta);
    if (stale) quietly(() => unlinkSync(join(directory, name)));
    return !stale;
  });
}

const isCode = (error: unknown, ...codes: string[]): boolean =>
  codes.includes((error as NodeJS.ErrnoException).code ?? '');

/** For clean-up that somebody else may have done already. */
function quietly(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!isCode(error, 'ENOENT', 'ENOTEMPTY', 'EEXIST', 'ENOTDIR')) throw error;
  }
}
