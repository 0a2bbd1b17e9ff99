import type { ContainerDb } from '@folsom/container-db';
import { LRUCache } from 'lru-cache';

/** Bytes of listings kept by one server. */
const KEPT_BYTES_MAX = 32 * 1024 * 1024;
/** Larger listings are made anew each time. */
const LISTING_BYTES_MAX = 4 * 1024 * 1024;

/** Listings as they were last sent, for as long as nothing changes in their databases. */
export interface ListingCache {
  get(db: ContainerDb, query: string, make: () => Promise<string>): Promise<Buffer>;
}

export function listingCache(): ListingCache {
  const kept = new LRUCache<string, { db: ContainerDb; version: string; body: Buffer }>({
    maxSize: KEPT_BYTES_MAX,
    sizeCalculation: ({ body }) => body.length + 256,
  });
  return {
    get: async (db, query, make) => {
      const key = `${db.path} ${query}`;
      const version = db.version();
      const known = kept.get(key);
      if (known && known.db === db && known.version === version) return known.body;
      const body = Buffer.from(await make());
      // Not if something changed while it was made.
      if (body.length <= LISTING_BYTES_MAX && db.isOpen && db.version() === version) {
        kept.set(key, { db, version, body });
      }
      return body;
    },
  };
}
