import { Fault } from '@folsom/core';
import type { ImageContext } from './context.ts';
import type { ApiParts } from './parts.ts';

type RemovalParts = Pick<ApiParts, 'stores' | 'scrubQueue' | 'settings' | 'world'>;

/**
 * Removes the bytes of a deleted image, now or later by the scrubber. Never throws: the image is deleted already, and bytes
 * that cannot be removed now are left to the scrubber. Resolves to false when not even that worked.
 */
export async function removeImageData(
  parts: RemovalParts,
  context: ImageContext,
  imageId: string,
  location: string,
): Promise<boolean> {
  const { stores, settings, world } = parts;
  if (settings.delayed_delete) return schedule(parts, imageId, location);
  try {
    const store = stores.forLocation(location);
    await store.delete?.(location, context);
    return true;
  } catch (error) {
    if (error instanceof Fault && error.name === 'ImageDataNotFound') {
      world.log.warn('the data of a deleted image was gone already', { image: imageId });
      return true;
    }
    world.log.error('the data of a deleted image could not be removed; left to the scrubber', {
      image: imageId,
      error,
    });
    return schedule(parts, imageId, location);
  }
}

async function schedule(
  { scrubQueue, world }: RemovalParts,
  imageId: string,
  location: string,
): Promise<boolean> {
  try {
    await scrubQueue.add(imageId, location, world.clock.now());
    return true;
  } catch (error) {
    // The row stays pending_delete: the scrubber's clean-up finds it there.
    world.log.error('the scrubber could not be told about a deleted image', { image: imageId, error });
    return false;
  }
}
