import type { World } from '@folsom/core';
import type { ImageContext } from '../context.ts';
import { isRegistryFailure } from '../faults.ts';
import type { Registry } from '../registry/registry.ts';
import type { Stores } from '../stores/index.ts';
import type { ImageCache } from './cache.ts';

/** Fetches the images the cache was asked for. Resolves to false when one of them could not be had. */
export async function prefetch(parts: {
  cache: ImageCache;
  registry: Registry;
  stores: Stores;
  world: World;
  context: ImageContext;
}): Promise<boolean> {
  const { cache, registry, stores, world, context } = parts;
  let all = true;
  for (const imageId of await cache.queued()) {
    try {
      const image = await registry.get(context, imageId);
      if (image.status !== 'active' || !image.location) {
        world.log.warn('an image asked for is not active; it is not cached', { image: imageId });
        all = false;
        continue;
      }
      const fill = await cache.fill(imageId, image.size, image.checksum);
      if (!fill) continue;
      try {
        const { data } = await stores.forLocation(image.location).get(image.location, context);
        for await (const chunk of data) await fill.write(chunk as Buffer);
        if (!(await fill.commit())) all = false;
      } catch (error) {
        await fill.abandon();
        throw error;
      }
    } catch (error) {
      all = false;
      if (isRegistryFailure(error, 404)) {
        world.log.warn('an image asked for does not exist; the request is dropped', { image: imageId });
        await cache.dequeue(imageId);
      } else world.log.error('an image could not be cached', { image: imageId, error });
    }
  }
  return all;
}
