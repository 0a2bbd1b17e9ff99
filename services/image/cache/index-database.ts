import { resolve } from 'node:path';
import type { World } from '@folsom/core';
import { openDatabase } from '@folsom/db';

/** A copy as Folsom's cache management shows it; times in seconds. */
export interface CachedImage {
  image_id: string;
  hits: number;
  last_accessed: number;
  last_modified: number;
  size: number;
}

/** Hits and times of the copies in the cache. */
export interface CacheIndex {
  add(imageId: string, size: number, now: number): Promise<void>;
  hit(imageId: string, now: number): Promise<void>;
  remove(imageId: string): Promise<void>;
  removeAll(): Promise<void>;
  /** By id. */
  list(): Promise<CachedImage[]>;
  /** Ids, the longest unused first. */
  leastUsed(): Promise<string[]>;
  close(): Promise<void>;
}

/** Folsom's `cache.db`: the same file, table and columns. */
export async function openCacheIndex(path: string, world: World): Promise<CacheIndex> {
  const db = await openDatabase({
    connection: `sqlite:///${resolve(path)}`,
    log: world.log,
    clock: world.clock,
  });
  await db.knex.raw(
    'CREATE TABLE IF NOT EXISTS cached_images (image_id TEXT PRIMARY KEY, last_accessed REAL DEFAULT 0.0, ' +
      'last_modified REAL DEFAULT 0.0, size INTEGER DEFAULT 0, hits INTEGER DEFAULT 0, checksum TEXT)',
  );
  const table = () => db.knex('cached_images');
  return {
    add: async (imageId, size, now) => {
      await table()
        .insert({ image_id: imageId, last_accessed: 0, last_modified: now / 1000, hits: 0, size })
        .onConflict('image_id')
        .merge();
    },
    hit: async (imageId, now) => {
      await table()
        .where({ image_id: imageId })
        .update({ hits: db.knex.raw('hits + 1'), last_accessed: now / 1000 });
    },
    remove: async imageId => {
      await table().where({ image_id: imageId }).delete();
    },
    removeAll: async () => {
      await table().delete();
    },
    list: async () =>
      (await table()
        .select('image_id', 'hits', 'last_accessed', 'last_modified', 'size')
        .orderBy('image_id')) as CachedImage[],
    leastUsed: async () => {
      const rows = (await table().select('image_id').orderBy('last_accessed').orderBy('last_modified')) as {
        image_id: string;
      }[];
      return rows.map(row => row.image_id);
    },
    close: () => db.close(),
  };
}
