import { LRUCache } from 'lru-cache';
import { plainJson } from './answers.ts';
import type { ImageContext } from './context.ts';

/** What tells of changes: a database, or a registry on one. */
export interface Stamped {
  /** See `Database.stamp`; absent or null where nobody can tell. */
  stamp?(): Promise<string | null>;
}

/** Bytes of all lists that are kept, and of the longest of them. */
const KEPT_BYTES_MAX = 24 * 1024 * 1024;
const LIST_BYTES_MAX = 6 * 1024 * 1024;

interface Kept {
  stamp: string;
  bytes: Buffer;
}

const kept = new WeakMap<Stamped, LRUCache<string, Kept>>();

/**
 * The bytes of a list as they are sent. Reading and writing a thousand images takes a hundred times longer than asking whether
 * anything has changed since, so they are kept until something has. `query` is everything that the list depends on besides who asks
 * and what is in the database.
 */
export async function listBytes(
  source: Stamped,
  context: Pick<ImageContext, 'isAdmin' | 'owner'>,
  query: readonly unknown[],
  make: () => Promise<object>,
): Promise<Buffer> {
  // Before the list is read: what changes meanwhile makes the next one read it again.
  const stamp = (await source.stamp?.()) ?? null;
  if (stamp === null) return plainJson(await make());
  let lists = kept.get(source);
  if (lists === undefined) {
    lists = new LRUCache({ maxSize: KEPT_BYTES_MAX, maxEntrySize: LIST_BYTES_MAX, sizeCalculation: sizeOf });
    kept.set(source, lists);
  }
  const key = JSON.stringify([context.isAdmin, context.owner, ...query]);
  const known = lists.get(key);
  if (known?.stamp === stamp) return known.bytes;
  const bytes = plainJson(await make());
  lists.set(key, { stamp, bytes });
  return bytes;
}

const sizeOf = ({ bytes }: Kept, key: string): number => bytes.byteLength + 2 * key.length;
