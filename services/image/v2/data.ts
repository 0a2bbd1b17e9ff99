import type { Readable } from 'node:stream';
import { Fault } from '@folsom/core';
import type { ImageContext } from '../context.ts';
import type { Download } from '../download.ts';
import { imageFault } from '../faults.ts';
import { imageMeta } from '../image.ts';
import { requireWritable } from '../policy.ts';
import { plainLocation } from '../registry/encryption.ts';
import { visibleImage } from '../registry/images.ts';
import { findImage, updateImage } from '../repository/images.ts';
import { updateStoreAcls } from '../v1/acls.ts';
import { isMutable } from '../visibility.ts';
import type { V2Parts } from './parts.ts';

/** What may be downloaded. The policy was asked before, and so before any cache is. */
export async function downloadableV2(parts: V2Parts, context: ImageContext, id: string): Promise<Download> {
  const image = await visibleImage(parts, context, id);
  if (!image || image.deleted) throw imageFault('ImageNotFound', { detail: 'Image does not exist' });
  const location = plainLocation(parts.cipher, image.location);
  if (!location) throw imageFault('ImageDataNotFound', { detail: 'No image data could be found' });
  return {
    imageId: id,
    ownerId: image.owner,
    location,
    size: image.size,
    checksum: image.checksum,
  };
}

/** The text has its placeholder unfilled in Folsom, too. */
const duplicate = () =>
  imageFault('DuplicateImageData', { explanation: 'Unable to upload duplicate image data for image: %s' });

/** Takes the bytes of an image that has none. In Folsom the image stays `queued`: its version 2 does not activate. */
export async function uploadV2(
  parts: V2Parts,
  context: ImageContext,
  id: string,
  data: Readable,
  size: number | null,
): Promise<void> {
  requireWritable(context);
  const image = await visibleImage(parts, context, id);
  if (!image || image.deleted) throw imageFault('ImageNotFound', { detail: 'Image does not exist' });
  if (image.location || image.status !== 'queued') throw duplicate();
  if (!isMutable(context, image)) {
    throw imageFault('ImageForbidden', { explanation: 'Not allowed to upload image data for image %s' });
  }
  if (size !== null && size > parts.settings.image_size_cap) throw tooLarge(parts);
  const store = parts.stores.byScheme(parts.settings.default_store);
  if (!store?.add) throw imageFault('StoreUnavailable');
  const note = await parts.uploads.note(id, 'data', parts.settings.default_store, image.owner);
  try {
    await parts.uploads.transfer<true>({
      imageId: id,
      context,
      store,
      data,
      size,
      note,
      commit: async stored => {
        const location = parts.cipher?.encrypt(stored.location) ?? stored.location;
        const changed = await updateImage(
          parts.db,
          id,
          {
            values: {
              location,
              size: stored.size,
              checksum: stored.checksum,
              ...(parts.settings.complete_v2_api ? { status: 'active' } : {}),
            },
            from: ['queued'],
            withoutLocation: true,
          },
          parts.world.clock.now(),
        );
        return changed ? true : null;
      },
    });
  } catch (error) {
    throw explain(parts, error);
  }
  const after = await findImage(parts.db, id, { withDeleted: true });
  if (!after) return;
  const plain = {
    ...after,
    location: plainLocation(parts.cipher, after.location),
  };
  await updateStoreAcls(parts, context, plain);
  parts.notifier.notify(context, 'image.upload', 'INFO', imageMeta(after));
}

const tooLarge = (parts: V2Parts) =>
  imageFault('ImageSizeLimitExceeded', {
    explanation: `Denying attempt to upload image larger than ${parts.settings.image_size_cap} bytes.`,
  });

function explain(parts: V2Parts, error: unknown): unknown {
  if (!(error instanceof Fault)) return error;
  switch (error.name) {
    case 'DuplicateImageData':
      return duplicate();
    case 'ImageSizeLimitExceeded':
      return tooLarge(parts);
    case 'StorageFull':
      return imageFault('StorageFull', { explanation: `Image storage media is full: ${error.message}` });
    case 'StorageWriteDenied':
      return imageFault('StorageWriteDenied', {
        explanation: `Insufficient permissions on image storage media: ${error.message}`,
      });
    case 'UploadAborted':
      return imageFault('ImageGone', { explanation: error.message });
    case 'BackendError':
      return imageFault('StoreUnavailable', { explanation: error.message });
    default:
      return error;
  }
}
