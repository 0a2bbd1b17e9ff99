import type { ImageContext } from '../context.ts';
import { type ImageFaultName, imageFault, isRegistryFailure, plainPage } from '../faults.ts';
import { type ImageMeta, isUuidLike } from '../image.ts';
import type { ApiParts } from '../parts.ts';
import { enforce, requireWritable } from '../policy.ts';
import type { ImageBrief } from '../registry/registry.ts';
import { removeImageData } from '../removal.ts';
import { schemeOf } from '../stores/index.ts';
import { updateStoreAcls } from './acls.ts';
import { bringBytes } from './bring-bytes.ts';
import type { HeaderMeta } from './headers.ts';
import type { ImageRequest } from './image-request.ts';
import { externalSource, sourceSize } from './source.ts';

const plain = (detailed: string) => ({ detail: detailed });

/** The image, or the fault version 1 has for it. */
export async function imageOr404(parts: ApiParts, context: ImageContext, id: string): Promise<ImageMeta> {
  try {
    return await parts.registry.get(context, id);
  } catch (error) {
    if (isRegistryFailure(error, 404)) {
      throw imageFault('ImageNotFound', plain(`Image with identifier ${id} not found`));
    }
    if (isRegistryFailure(error, 403)) throw imageFault('ImageForbidden', plain('Forbidden image access'));
    throw error;
  }
}

export async function list(
  parts: ApiParts,
  context: ImageContext,
  params: Record<string, string>,
): Promise<ImageBrief[]> {
  return quoting(parts.registry.list(context, params));
}

export async function detail(
  parts: ApiParts,
  context: ImageContext,
  params: Record<string, string>,
): Promise<Omit<ImageMeta, 'location'>[]> {
  return (await quoting(parts.registry.detail(context, params))).map(shown);
}

/** A refused list quotes the registry's whole page, as Folsom's did. */
async function quoting<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (isRegistryFailure(error, 400)) throw imageFault('InvalidQuery', { explanation: error.message });
    throw error;
  }
}

export async function show(parts: ApiParts, context: ImageContext, id: string): Promise<ImageMeta> {
  return imageOr404(parts, context, id);
}

/** An image that may be downloaded. The policy is asked before any cache is: for `get_image` before this. */
export async function downloadable(parts: ApiParts, context: ImageContext, id: string): Promise<ImageMeta> {
  enforce(parts.policy, context, 'download_image');
  const image = await imageOr404(parts, context, id);
  if (image.status !== 'active') throw imageFault('ImageNotActive', plain(`Image ${id} is not active`));
  return image;
}

export async function create(
  parts: ApiParts,
  context: ImageContext,
  request: ImageRequest,
): Promise<ImageMeta> {
  requireWritable(context);
  const { fields } = request.meta;
  if (fields.is_public) enforce(parts.policy, context, 'publicize_image');

  const given = fields.location ?? request.copyFrom;
  const source = given ? await externalSource(parts, given) : null;
  const size = source ? fields.size || (await sourceSize(source, context)) : (fields.size ?? 0);
  const id = fields.id ?? parts.world.random.uuid();
  const withData = request.data !== null || request.copyFrom !== null;
  const scheme = request.storeScheme ?? parts.settings.default_store;
  // The registry's own answer, given before the id names anything.
  if (fields.id && !isUuidLike(fields.id)) {
    const page = plainPage(imageFault('InvalidImage', { explanation: 'Invalid image id format' }));
    throw imageFault('InvalidImage', { explanation: `Failed to reserve image. Got error: ${page}` });
  }
  if (fields.id && withData) await refuseTakenId(parts, context, fields.id);
  const note = withData
    ? await parts.uploads.note(id, request.copyFrom ? 'copy' : 'create', scheme, ownerOf(context, fields))
    : null;
  let image: ImageMeta;
  try {
    image = await parts.registry.add(context, {
      ...writable(fields),
      id,
      size,
      properties: request.meta.properties,
      status: fields.size === 0 && !withData && !source ? 'active' : 'queued',
      location: null,
    });
  } catch (error) {
    await note?.close();
    if (isRegistryFailure(error, 409)) throw taken(id);
    if (isRegistryFailure(error, 400)) {
      throw imageFault('InvalidImage', {
        explanation: `Failed to reserve image. Got error: ${error.message}`,
      });
    }
    if (isRegistryFailure(error, 403))
      throw imageFault('ImageForbidden', { explanation: 'Forbidden to reserve image.' });
    throw error;
  }
  image = await bringBytes(parts, context, request, image, source, note);
  await updateStoreAcls(parts, context, image);
  return image;
}

const taken = (id: string) =>
  imageFault('ImageExists', { explanation: `An image with identifier ${id} already exists` });

/** Known before anything is noted: the note of an upload must never stand for somebody else's image. */
async function refuseTakenId(parts: ApiParts, context: ImageContext, id: string): Promise<void> {
  const exists = await parts.registry.get(context, id).then(
    () => true,
    error => {
      if (isRegistryFailure(error)) return false;
      throw error;
    },
  );
  if (exists) throw taken(id);
}

const ownerOf = (context: ImageContext, fields: HeaderMeta['fields']): string | null =>
  context.isAdmin && typeof fields.owner === 'string' ? fields.owner : context.owner;

/** Header fields a user may set; state and bookkeeping are the service's. */
function writable(fields: HeaderMeta['fields']): Record<string, unknown> {
  const {
    id: _id,
    status: _status,
    location: _location,
    deleted: _deleted,
    created_at: _created,
    updated_at: _updated,
    deleted_at: _gone,
    store: _store,
    ...rest
  } = fields;
  return rest;
}

export async function update(
  parts: ApiParts,
  context: ImageContext,
  id: string,
  request: ImageRequest,
): Promise<ImageMeta> {
  requireWritable(context);
  const { fields, properties } = request.meta;
  if (fields.is_public) enforce(parts.policy, context, 'publicize_image');
  const before = await imageOr404(parts, context, id);
  if (before.deleted || before.status === 'deleted') {
    throw imageFault('ImageDeleted', { explanation: 'Forbidden to update deleted image.' });
  }
  if (request.data !== null && before.status !== 'queued') {
    throw imageFault('ImageNotQueued', plain('Cannot upload to an unqueued image'));
  }
  const given = fields.location ?? request.copyFrom;
  const source = given ? await externalSource(parts, given) : null;
  if (source && before.status !== 'queued') {
    throw imageFault('InvalidLocation', {
      explanation: 'Attempted to update Location field for an image not in queued status.',
    });
  }
  const size = source ? fields.size || (await sourceSize(source, context)) : undefined;
  const withData = request.data !== null || (source !== null && request.copyFrom !== null);
  const note = withData
    ? await parts.uploads.note(
        id,
        request.data ? 'put' : 'copy',
        request.storeScheme ?? parts.settings.default_store,
        before.owner,
      )
    : null;
  let image: ImageMeta;
  try {
    image = await parts.registry.update(
      context,
      id,
      { ...writable(fields), ...(size === undefined ? {} : { size }), properties },
      { purgeProperties: request.purgeProperties && request.data === null },
    );
    image = await bringBytes(parts, context, request, image, source, note);
  } catch (error) {
    await note?.close();
    throw updateFault(parts, context, error);
  }
  await updateStoreAcls(parts, context, image);
  parts.notifier.notify(context, 'image.update', 'INFO', image);
  return image;
}

function updateFault(parts: ApiParts, context: ImageContext, error: unknown): unknown {
  if (!isRegistryFailure(error)) return error;
  const told = (priority: 'INFO' | 'ERROR', message: string, name: ImageFaultName) => {
    parts.notifier.notify(context, 'image.update', priority, message);
    return imageFault(name, { explanation: message });
  };
  switch (error.status) {
    case 400:
      return told('ERROR', `Failed to update image metadata. Got error: ${error.message}`, 'InvalidImage');
    case 404:
      return told('INFO', `Failed to find image to update: ${error.message}`, 'ImageNotFound');
    case 403:
      return told('INFO', `Forbidden to update image: ${error.message}`, 'ImageForbidden');
    default:
      return error;
  }
}

export async function remove(parts: ApiParts, context: ImageContext, id: string): Promise<void> {
  requireWritable(context);
  const image = await imageOr404(parts, context, id);
  if (image.protected) throw imageFault('ImageProtected', { explanation: 'Image is protected' });
  if (image.status === 'deleted' || image.deleted) {
    throw imageFault('ImageDeleted', {
      explanation: `Forbidden to delete a ${image.status === 'pending_delete' ? 'pending_delete' : 'deleted'} image.`,
    });
  }
  const status = image.location && parts.settings.delayed_delete ? 'pending_delete' : 'deleted';
  // Noted first: a crash between the image and its bytes must leave no bytes.
  const note = await parts.uploads.note(id, 'delete', schemeOf(image.location ?? '') ?? '', image.owner);
  let before: ImageMeta;
  try {
    before = await parts.registry.delete(context, id, status);
  } catch (error) {
    await note.close();
    const told = (message: string, name: ImageFaultName) => {
      parts.notifier.notify(context, 'image.delete', 'INFO', message);
      return imageFault(name, { explanation: message });
    };
    if (isRegistryFailure(error, 404))
      throw told(`Failed to find image to delete: ${error.message}`, 'ImageNotFound');
    if (isRegistryFailure(error, 403))
      throw told(`Forbidden to delete image: ${error.message}`, 'ImageForbidden');
    throw error;
  }
  parts.uploads.abort(id);
  // An upload may have ended since the image was looked at: the bytes are where the row said when it was deleted.
  const location = before.location ?? image.location;
  const removed = location ? await removeImageData(parts, context, id, location) : true;
  if (removed) await note.close();
  await parts.cache?.remove(id);
  parts.notifier.notify(context, 'image.delete', 'INFO', image);
}

/** What users see of an image: never where it is. */
export function shown(image: ImageMeta): Omit<ImageMeta, 'location'> {
  const { location: _location, ...rest } = image;
  return rest;
}
