import type { ImageContext } from '../context.ts';
import { isRegistryFailure } from '../faults.ts';
import type { ImageMeta } from '../image.ts';
import type { ApiParts } from '../parts.ts';

/** Tells a store that keeps its own access lists (multi-tenant swift) who may read an image. */
export async function updateStoreAcls(
  parts: Pick<ApiParts, 'stores' | 'registry' | 'world'>,
  context: ImageContext,
  image: Pick<ImageMeta, 'id' | 'is_public' | 'location'>,
): Promise<void> {
  if (!image.location) return;
  let store: ReturnType<ApiParts['stores']['forLocation']>;
  try {
    store = parts.stores.forLocation(image.location);
  } catch {
    return;
  }
  if (!store.setAcls) return;
  try {
    const members = await parts.registry.members(context, image.id);
    await store.setAcls(
      image.location,
      {
        public: image.is_public,
        readTenants: members.filter(member => !member.can_share).map(member => member.member_id),
        writeTenants: members.filter(member => member.can_share).map(member => member.member_id),
      },
      context,
    );
  } catch (error) {
    if (isRegistryFailure(error)) return;
    parts.world.log.error('access lists of an image could not be set in its store', {
      image: image.id,
      error,
    });
  }
}
