import { closeSync, fstatSync, openSync, type Stats, statSync } from 'node:fs';
import { type Random, systemClock } from '@folsom/core';
import { LRUCache } from 'lru-cache';
import { type Found, type ObjectPlace, openObject } from './object-file.ts';

const KNOWN_MAX = 4096;
/**
 * What changed so lately may change again within the same tick of the file system's clock, and would look the same. The
 * times of files are the system's, whatever clock the world has.
 */
const SETTLED_MS = 100;

/** What changes with anything that is done to a file or a directory. */
interface Seen {
  dev: number;
  ino: number;
  size: number;
  mtimeMs: number;
  ctimeMs: number;
}

/** An object that is the only file of its directory, as both were when it was read. */
interface Known {
  directory: Seen;
  file: Seen;
  found: Extract<Found, { state: 'live' }>;
}

/** By their directories. */
const known = new LRUCache<string, Known>({ max: KNOWN_MAX });

const seen = ({ dev, ino, size, mtimeMs, ctimeMs }: Stats): Seen => ({ dev, ino, size, mtimeMs, ctimeMs });

const isAs = (before: Seen, now: Stats): boolean =>
  before.ctimeMs === now.ctimeMs &&
  before.mtimeMs === now.mtimeMs &&
  before.ino === now.ino &&
  before.size === now.size &&
  before.dev === now.dev;

const hasSettled = ({ mtimeMs, ctimeMs }: Seen, now: number): boolean =>
  Math.max(mtimeMs, ctimeMs) < now - SETTLED_MS;

/**
 * Opens the newest version of an object as `openObject` does. What was found in its directory and in its metadata is not
 * read again while neither the directory nor the file has changed. For those who serve the object, not for those who
 * look after the disk. `now` is for tests.
 */
export function openKnownObject(
  place: ObjectPlace,
  random: Random,
  onQuarantine: (why: string) => void,
  now = systemClock.now(),
): Found {
  const { directory } = place;
  const again = openAgain(directory);
  if (again) return again;
  // Before its files are listed: what changes from here on shows.
  const at = statSync(directory, { throwIfNoEntry: false });
  const found = openObject(place, random, onQuarantine);
  if (!at || found.state === 'gone' || found.files.all.length !== 1) return found;
  const entry = { directory: seen(at), file: seen(fstatSync(found.object.fd)), found };
  if (!hasSettled(entry.directory, now) || !hasSettled(entry.file, now)) return found;
  known.set(directory, entry);
  return found;
}

/** What is known of an object, with its file open; null if nothing is, or not any more. */
function openAgain(directory: string): Found | null {
  const entry = known.get(directory);
  if (!entry) return null;
  const { files, object } = entry.found;
  try {
    const at = statSync(directory, { throwIfNoEntry: false });
    if (at && isAs(entry.directory, at)) {
      const fd = openSync(object.file, 'r');
      if (isAs(entry.file, fstatSync(fd))) return { state: 'live', files, object: { ...object, fd } };
      closeSync(fd);
    }
  } catch {
    // Whatever it is, it shows when the object is looked for as if nothing were known.
  }
  known.delete(directory);
  return null;
}
