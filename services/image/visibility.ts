import type { ImageContext } from './context.ts';
import type { Image, Member } from './image.ts';

type Owned = Pick<Image, 'owner' | 'is_public'>;

/** Whether the caller may see the image, before memberships are looked at. */
export const isVisibleWithoutMembership = (context: ImageContext, image: Owned): boolean =>
  context.isAdmin ||
  image.owner === null ||
  image.is_public ||
  (context.owner !== null && context.owner === image.owner);

/** Whether the caller may change the image: its owner and administrators. */
export const isMutable = (context: ImageContext, image: Owned): boolean =>
  context.isAdmin || (image.owner !== null && context.owner !== null && image.owner === context.owner);

/** Whether the caller may share the image; `membership` is the caller's own. */
export const isSharable = (context: ImageContext, image: Owned, membership: Member | undefined): boolean => {
  if (context.isAdmin) return true;
  if (context.owner === null) return false;
  if (context.owner === image.owner) return true;
  return membership?.can_share ?? false;
};
