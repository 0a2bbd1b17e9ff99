import type { Config } from '@folsom/config';
import type { World } from '@folsom/core';
import type { Database } from '@folsom/db';
import { openImageCache } from './cache/cache.ts';
import { prefetch } from './cache/prefetch.ts';
import { serviceContext } from './context.ts';
import { imageOptions } from './options.ts';
import { encryptingRegistry, locationCipher } from './registry/encryption.ts';
import { localRegistry } from './registry/local.ts';
import type { Registry } from './registry/registry.ts';
import { scrubQueue } from './scrubber/queue.ts';
import { scrub } from './scrubber/scrubber.ts';
import { openStores } from './stores/index.ts';

/** What the tools beside the servers work with. */
export interface ToolParts {
  config: Config;
  world: World;
  /** Either the database or a registry. */
  db?: Database;
  registry?: Registry;
}

function registryOf({ config, world, db, registry }: ToolParts): Registry {
  const settings = config.of(imageOptions);
  const plain = registry ?? (db ? localRegistry({ db, world, limits: settings }) : null);
  if (!plain) throw new Error('the image tools need a database or a registry');
  return settings.metadata_encryption_key
    ? encryptingRegistry(plain, locationCipher(settings.metadata_encryption_key, world.random))
    : plain;
}

/** One run of glance-scrubber. Resolves to the number of images whose bytes were removed. */
export async function runScrubber(parts: ToolParts): Promise<number> {
  const { config, world } = parts;
  const settings = config.of(imageOptions);
  return scrub({
    queue: scrubQueue(settings.scrubber_datadir, settings.scrub_time),
    stores: await openStores(config, world),
    registry: registryOf(parts),
    world,
    context: serviceContext(world),
    cleanupSeconds: settings.cleanup_scrubber ? settings.cleanup_scrubber_time : null,
  });
}

/** The cache of a configuration. @throws Error when image_cache_dir is not set. */
export async function configuredCache(config: Config, world: World) {
  const settings = config.of(imageOptions);
  if (settings.image_cache_dir === null) throw new Error('image_cache_dir is not set');
  return openImageCache(
    {
      directory: settings.image_cache_dir,
      databaseFile: settings.image_cache_sqlite_db,
      sizeMax: settings.image_cache_max_size,
      stallSeconds: settings.image_cache_stall_time,
      invalidGraceSeconds: settings.image_cache_invalid_entry_grace_period,
    },
    world,
  );
}

/** One run of glance-cache-prefetcher. Resolves to false when an image could not be had. */
export async function runPrefetcher(parts: ToolParts): Promise<boolean> {
  const { config, world } = parts;
  const cache = await configuredCache(config, world);
  try {
    return await prefetch({
      cache,
      registry: registryOf(parts),
      stores: await openStores(config, world),
      world,
      context: serviceContext(world),
    });
  } finally {
    await cache.close();
  }
}
