import type { ImageContext } from '../context.ts';
import { imageFault } from '../faults.ts';
import type { ImageMeta } from '../image.ts';
import type { ApiParts } from '../parts.ts';
import { storeFault } from '../stores/store.ts';
import type { OpenNote } from '../upload/journal.ts';
import type { ImageRequest } from './image-request.ts';
import type { ExternalSource } from './source.ts';
import { kill, receive, uploadAndActivate } from './upload.ts';
import { validateImageFields } from './validation.ts';

/** Fills a queued image from the body, by a copy behind the answer, or by noting where it is. */
export async function bringBytes(
  parts: ApiParts,
  context: ImageContext,
  request: ImageRequest,
  image: ImageMeta,
  source: ExternalSource | null,
  note: OpenNote | null,
): Promise<ImageMeta> {
  if (request.data !== null && note) {
    try {
      validateImageFields({ ...image });
    } catch (error) {
      await note.close();
      throw error;
    }
    if (!isOctetStream(request.contentType)) {
      await kill(parts, context, image.id);
      await note.close();
      throw imageFault('InvalidUpload', { explanation: 'Content-Type must be application/octet-stream' });
    }
    const scheme = request.storeScheme ?? parts.settings.default_store;
    const store = parts.stores.byScheme(scheme);
    if (!store) {
      // The image stays reserved, as in Folsom: the next attempt may name another store.
      await note.close();
      throw imageFault('UnknownStore', { explanation: 'Store for scheme %s not found' });
    }
    if (!store.add) {
      await kill(parts, context, image.id);
      await note.close();
      const why = storeFault('StoreAddDisabled');
      throw imageFault('InvalidUpload', {
        explanation: `Error uploading image: (${why.name}): ${why.message}`,
      });
    }
    const completed = await completeFormats(parts, context, image);
    return uploadAndActivate(parts, context, {
      imageId: image.id,
      expectedSize: completed.size,
      expectedChecksum: completed.checksum,
      data: request.data,
      size: request.contentLength ?? (completed.size || null),
      store,
      note,
    });
  }
  if (source && request.copyFrom !== null && note) {
    return startCopy(parts, context, request, image, source, note);
  }
  if (source) {
    await completeFormats(parts, context, image);
    const activated = await parts.registry.update(
      context,
      image.id,
      { status: 'active', location: source.location },
      { from: ['queued'] },
    );
    parts.notifier.notify(context, 'image.update', 'INFO', activated);
    return activated;
  }
  return image;
}

const isOctetStream = (contentType: string | undefined): boolean =>
  contentType?.split(';')[0]?.trim().toLowerCase() === 'application/octet-stream';

/** Amazon images have one format twice; the missing half is written, too. */
async function completeFormats(parts: ApiParts, context: ImageContext, image: ImageMeta): Promise<ImageMeta> {
  const { disk_format, container_format } = validateImageFields({ ...image });
  if (disk_format === image.disk_format && container_format === image.container_format) return image;
  return parts.registry.update(context, image.id, { disk_format, container_format }, { from: ['queued'] });
}

/** The answer shows the image as it was reserved; by then it is `saving` already, so that a crash leaves nothing unnoticed. */
async function startCopy(
  parts: ApiParts,
  context: ImageContext,
  request: ImageRequest,
  image: ImageMeta,
  source: ExternalSource,
  note: OpenNote,
): Promise<ImageMeta> {
  const store = parts.stores.byScheme(request.storeScheme ?? parts.settings.default_store);
  if (!store?.add) {
    await kill(parts, context, image.id);
    await note.close();
    throw imageFault('UnknownStore', { explanation: 'Store for scheme %s not found' });
  }
  await parts.registry.update(context, image.id, { status: 'saving' }, { from: ['queued'] });
  const copy = async () => {
    let opened: Awaited<ReturnType<typeof source.store.get>>;
    try {
      opened = await source.store.get(source.location, context);
    } catch (error) {
      parts.world.log.error('copy from external source failed', { image: image.id, error });
      await kill(parts, context, image.id);
      await note.close();
      return;
    }
    await receive(parts, context, {
      imageId: image.id,
      expectedSize: opened.size ?? image.size,
      expectedChecksum: image.checksum,
      data: opened.data,
      size: opened.size,
      store,
      note,
    }).catch(error => parts.world.log.error('copy from external source failed', { image: image.id, error }));
  };
  if (!parts.copies.start(image.id, copy)) {
    await kill(parts, context, image.id);
    await note.close();
    throw imageFault('TooManyCopies', {
      explanation: 'Too many copies are waiting. Please try again at a later time.',
    });
  }
  return image;
}
