import type { Readable } from 'node:stream';
import { Fault } from '@folsom/core';
import type { ImageContext } from '../context.ts';
import { imageFault, isRegistryFailure } from '../faults.ts';
import type { ImageMeta, ImageStatus } from '../image.ts';
import type { ApiParts } from '../parts.ts';
import { updateImage } from '../repository/images.ts';
import type { Store, StoredImage } from '../stores/store.ts';
import type { OpenNote } from '../upload/journal.ts';

const KILLABLE: readonly ImageStatus[] = ['queued', 'saving'];

/** Sets an image to `killed`; failing to is logged, never thrown: it is done while handling another fault. */
export async function kill(parts: ApiParts, context: ImageContext, imageId: string): Promise<void> {
  try {
    await parts.registry.update(context, imageId, { status: 'killed' }, { from: KILLABLE });
  } catch (error) {
    if (isRegistryFailure(error, 404) || isRegistryFailure(error, 409)) return;
    parts.world.log.error('unable to kill an image through the registry', { image: imageId, error });
    await killInDatabase(parts, imageId);
  }
}

/** The user's token may have ended during the upload, or the registry be away: the image must not stay `saving` for that. */
async function killInDatabase({ db, world }: ApiParts, imageId: string): Promise<void> {
  if (!db) return;
  try {
    const change = { values: { status: 'killed' as const }, from: KILLABLE };
    await updateImage(db, imageId, change, world.clock.now());
  } catch (error) {
    world.log.error('unable to kill an image', { image: imageId, error });
  }
}

export interface UploadRequest {
  imageId: string;
  /** What the client says about the bytes; null, 0 and '' mean nothing is said. */
  expectedSize: number | null;
  expectedChecksum: string | null;
  data: Readable;
  /** Bytes to come, or null when unknown. */
  size: number | null;
  store: Store;
  note: OpenNote;
}

/** Takes the bytes of a queued image: `saving`, the bytes durable in the store, `active`. Failing kills the image. */
export async function uploadAndActivate(
  parts: ApiParts,
  context: ImageContext,
  request: UploadRequest,
): Promise<ImageMeta> {
  const { imageId } = request;
  try {
    await parts.registry.update(context, imageId, { status: 'saving' }, { from: ['queued'] });
  } catch (error) {
    await request.note.close();
    if (isRegistryFailure(error, 409))
      throw imageFault('ImageNotQueued', { detail: 'Cannot upload to an unqueued image' });
    throw error;
  }
  return receive(parts, context, request);
}

/** The part after `saving`, which a copy enters before its answer is given. */
export async function receive(
  parts: ApiParts,
  context: ImageContext,
  request: UploadRequest,
): Promise<ImageMeta> {
  const { imageId } = request;
  const { registry, uploads, notifier } = parts;
  try {
    const image = await uploads.transfer<ImageMeta>({
      imageId,
      context,
      store: request.store,
      data: request.data,
      size: request.size,
      note: request.note,
      accept: stored => checkExpected(request, stored),
      commit: async ({ location, size, checksum }) => {
        try {
          return await registry.update(
            context,
            imageId,
            { status: 'active', location, size, checksum },
            { from: ['saving'] },
          );
        } catch (error) {
          if (isRegistryFailure(error, 404) || isRegistryFailure(error, 409)) return null;
          throw error;
        }
      },
    });
    notifier.notify(context, 'image.upload', 'INFO', image);
    notifier.notify(context, 'image.update', 'INFO', image);
    return image;
  } catch (error) {
    const fault = explain(error);
    await kill(parts, context, imageId);
    notifier.notify(context, 'image.upload', 'ERROR', fault instanceof Error ? fault.message : '');
    throw fault;
  }
}

function checkExpected(request: UploadRequest, stored: StoredImage): void {
  const pairs = [
    ['size', request.expectedSize, stored.size],
    ['checksum', request.expectedChecksum, stored.checksum],
  ] as const;
  for (const [name, supplied, actual] of pairs) {
    if (!supplied || supplied === actual) continue;
    throw imageFault('InvalidUpload', {
      explanation:
        `Supplied ${name} (${supplied}) and ${name} generated from uploaded image (${actual}) did not match. ` +
        "Setting image status to 'killed'.",
    });
  }
}

/** A store's fault in the words of version 1. */
function explain(error: unknown): unknown {
  if (!(error instanceof Fault)) return error;
  switch (error.name) {
    case 'DuplicateImageData':
      return imageFault('DuplicateImageData', {
        explanation: `Attempt to upload duplicate image: ${error.message}`,
      });
    case 'StorageFull':
      return imageFault('StorageFull', { explanation: `Image storage media is full: ${error.message}` });
    case 'StorageWriteDenied':
      return imageFault('StorageWriteDenied', {
        explanation: `Insufficient permissions on image storage media: ${error.message}`,
      });
    case 'ImageSizeLimitExceeded':
      return imageFault('ImageSizeLimitExceeded', { explanation: `Error uploading image: ${error.message}` });
    case 'UploadAborted':
      return imageFault('UploadAborted', { explanation: error.message });
    case 'BackendError':
    case 'BadStoreUri':
    case 'StoreAddDisabled':
      return imageFault('InvalidUpload', {
        explanation: `Error uploading image: (${error.name}): ${error.message}`,
      });
    default:
      return error;
  }
}
