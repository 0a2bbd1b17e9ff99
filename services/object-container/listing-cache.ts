import type { ContainerDb, DbStamp } from '@folsom/container-db';
import { LRUCache } from 'lru-cache';
import type { KeptSteps, ListingSteps, MadeListing } from './listing.ts';

/** Bytes of listings kept by one server, those of their steps not counted again. */
const KEPT_BYTES_MAX = 32 * 1024 * 1024;
/** Larger listings are made anew each time. */
const LISTING_BYTES_MAX = 4 * 1024 * 1024;

interface Kept {
  db: ContainerDb;
  stamp: DbStamp;
  body: Buffer;
  steps: ListingSteps | null;
}

/** Listings as they were last sent, with the steps they were made in: after a change only those are made anew that it is in. */
export interface ListingCache {
  /** @param make from the steps kept, or from the beginning */
  get(
    db: ContainerDb,
    query: string,
    make: (kept: KeptSteps | null) => Promise<MadeListing>,
  ): Promise<Buffer>;
}

export function listingCache(): ListingCache {
  const kept = new LRUCache<string, Kept>({
    maxSize: KEPT_BYTES_MAX,
    sizeCalculation: ({ body }) => body.length + 256,
  });
  return {
    get: async (db, query, make) => {
      const key = `${db.path} ${query}`;
      const stamp = db.stamp();
      const known = kept.get(key);
      const ours = known && known.db === db && known.stamp.others === stamp.others ? known : null;
      const changed = ours && db.changedSince(ours.stamp.own);
      if (ours && (ours.stamp.own === stamp.own || changed?.length === 0)) return ours.body;
      const { body, steps } = await make(ours?.steps && changed ? { ...ours.steps, changed } : null);
      // What changed while it was made is known by its name; without steps there is nothing to mend.
      const usable = db.isOpen && (steps !== null || sameStamp(db.stamp(), stamp));
      if (body.length <= LISTING_BYTES_MAX && usable) kept.set(key, { db, stamp, body, steps });
      return body;
    },
  };
}

const sameStamp = (a: DbStamp, b: DbStamp): boolean => a.others === b.others && a.own === b.own;
