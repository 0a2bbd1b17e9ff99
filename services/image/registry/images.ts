import { must, pythonIso, type World } from '@folsom/core';
import type { Database } from '@folsom/db';
import type { ImageContext } from '../context.ts';
import { imageFault } from '../faults.ts';
import { type Image, type ImageMeta, type ImageStatus, imageMeta, isUuidLike, sourcesOf } from '../image.ts';
import { deleteImage, findImage, insertImage, updateImage } from '../repository/images.ts';
import { listImages } from '../repository/listing.ts';
import { findMembership } from '../repository/members.ts';
import { isMutable, isVisibleWithoutMembership } from '../visibility.ts';
import { type PageLimits, type RegistryQuery, registryQuery } from './query.ts';
import type { ImageBrief, UpdateOptions } from './registry.ts';
import { InvalidValue, imageValues, scalarText } from './values.ts';

/** What the registry's rules work on. */
export interface RegistryParts {
  db: Database;
  world: World;
  limits: PageLimits;
}

/** The image if the caller may see it. Deleted ones exist for administrators only. */
export async function visibleImage(
  { db }: Pick<RegistryParts, 'db'>,
  context: ImageContext,
  id: string,
): Promise<Image | null> {
  const image = await findImage(db, id, { withDeleted: context.isAdmin });
  if (!image) return null;
  if (isVisibleWithoutMembership(context, image)) return image;
  const shared = context.owner !== null && (await findMembership(db, id, context.owner)) !== undefined;
  return shared ? image : null;
}

async function page(parts: RegistryParts, context: ImageContext, given: RegistryQuery): Promise<Image[]> {
  const query = registryQuery(given, context, parts.limits);
  if (query.marker !== undefined) {
    // A marker that was deleted meanwhile still tells where the page begins if deleted images are looked at.
    const seen = await findImage(parts.db, query.marker, {
      withDeleted: context.isAdmin || query.deleted !== false,
    });
    const visible =
      seen &&
      (isVisibleWithoutMembership(context, seen) ||
        (context.owner !== null && (await findMembership(parts.db, seen.id, context.owner))));
    if (!visible)
      throw imageFault('InvalidMarker', { explanation: 'Invalid marker. Image could not be found.' });
  }
  return listImages(parts.db, query);
}

export async function registryList(
  parts: RegistryParts,
  context: ImageContext,
  given: RegistryQuery,
): Promise<ImageBrief[]> {
  const images = await page(parts, context, given);
  return images.map(({ id, name, size, disk_format, container_format, checksum }) => ({
    id,
    name,
    size,
    disk_format,
    container_format,
    checksum,
  }));
}

export async function registryDetail(
  parts: RegistryParts,
  context: ImageContext,
  given: RegistryQuery,
): Promise<ImageMeta[]> {
  return (await page(parts, context, given)).map(imageMeta);
}

export async function registryShow(
  parts: RegistryParts,
  context: ImageContext,
  id: string,
): Promise<ImageMeta> {
  const image = await visibleImage(parts, context, id);
  if (!image) throw imageFault('ImageNotFound');
  return imageMeta(image);
}

/** Adds an image; a state not named is `active`, as the original registry has it. */
export async function registryCreate(
  parts: RegistryParts,
  context: ImageContext,
  body: unknown,
): Promise<ImageMeta> {
  if (context.readOnly) throw imageFault('ReadOnlyAccess', { detail: 'Read-only access' });
  const data = imageBody(body);
  const id =
    data.id === undefined || data.id === null || data.id === '' ? undefined : (scalarText(data.id) ?? '?');
  if (id !== undefined && !isUuidLike(id))
    throw imageFault('InvalidImage', { explanation: 'Invalid image id format' });
  const { values, properties } = readable(data, 'Failed to add image metadata.');
  const owner = context.isAdmin && 'owner' in data ? (values.owner ?? null) : context.owner;
  const imageId = id ?? parts.world.random.uuid();
  const added = await insertImage(
    parts.db,
    imageId,
    { ...values, owner, status: values.status ?? 'active' },
    properties ?? {},
    parts.world.clock.now(),
  );
  if (!added) throw imageFault('ImageExists', { detail: `Image with identifier ${imageId} already exists!` });
  return imageMeta(
    must(await findImage(parts.db, imageId, { withDeleted: true }), 'it was written a moment ago'),
  );
}

export async function registryUpdate(
  parts: RegistryParts,
  context: ImageContext,
  id: string,
  body: unknown,
  options: UpdateOptions = {},
): Promise<ImageMeta> {
  if (context.readOnly) throw imageFault('ReadOnlyAccess', { detail: 'Read-only access' });
  const data = imageBody(body);
  const image = await visibleImage(parts, context, id);
  if (!image) throw imageFault('ImageNotFound', { body: 'Image not found' });
  if (!isMutable(context, image)) {
    throw image.is_public
      ? imageFault('ImageForbidden')
      : imageFault('ImageNotFound', { body: 'Image not found' });
  }
  const { values, properties } = readable(data, 'Failed to update image metadata.');
  if (!context.isAdmin) delete values.owner;
  const allowed = values.status === undefined ? undefined : sourcesOf(values.status);
  if (allowed && !allowed.includes(image.status)) {
    const detail = `Image status cannot change from '${image.status}' to '${values.status}'.`;
    throw imageFault(options.from ? 'ImageChanged' : 'InvalidStatus', {
      detail: `Failed to update image metadata. Got error: ${detail}`,
    });
  }
  const from = restrict(allowed, options.from);
  const changed = await updateImage(
    parts.db,
    id,
    {
      values,
      ...(properties ? { properties } : {}),
      purgeProperties: options.purgeProperties ?? false,
      ...(from ? { from } : {}),
      withoutLocation: options.withoutLocation ?? false,
      deletedToo: context.isAdmin && options.from === undefined,
    },
    parts.world.clock.now(),
  );
  if (!changed) {
    const now = await findImage(parts.db, id, { withDeleted: false });
    if (!now) throw imageFault('ImageNotFound', { body: 'Image not found' });
    throw imageFault('ImageChanged', { detail: `Image ${id} was changed meanwhile: it is ${now.status}.` });
  }
  return imageMeta(must(await findImage(parts.db, id, { withDeleted: true }), 'it was written a moment ago'));
}

const restrict = (
  allowed: ImageStatus[] | undefined,
  expected: readonly ImageStatus[] | undefined,
): ImageStatus[] | undefined =>
  allowed && expected
    ? allowed.filter(status => expected.includes(status))
    : (allowed ?? (expected ? [...expected] : undefined));

/** Deletes and, when given, sets the last state in the same statement. Deleting again is allowed to administrators. */
export async function registryDelete(
  parts: RegistryParts,
  context: ImageContext,
  id: string,
  lastStatus?: ImageStatus,
): Promise<{ before: ImageMeta; after: ImageMeta }> {
  if (context.readOnly) throw imageFault('ReadOnlyAccess', { detail: 'Read-only access' });
  // With a last state this is the update and the deletion of the original in one: the update answered first.
  const missing = lastStatus
    ? imageFault('ImageNotFound', { body: 'Image not found' })
    : imageFault('ImageNotFound');
  const image = await visibleImage(parts, context, id);
  if (!image) throw missing;
  if (!isMutable(context, image)) throw image.is_public ? imageFault('ImageForbidden') : missing;
  const now = parts.world.clock.now();
  const before = await deleteImage(
    parts.db,
    id,
    { ...(lastStatus ? { status: lastStatus } : {}), again: image.deleted },
    now,
  );
  if (!before) throw missing;
  const time = pythonIso(now);
  return {
    before: imageMeta(before),
    after: {
      ...imageMeta({ ...before, status: lastStatus ?? before.status, deleted: true, properties: {} }),
      deleted_at: time,
      updated_at: time,
    },
  };
}

function imageBody(body: unknown): Record<string, unknown> {
  const image = body !== null && typeof body === 'object' ? (body as { image?: unknown }).image : undefined;
  if (image === null || typeof image !== 'object' || Array.isArray(image)) {
    throw imageFault('InvalidImage', { detail: 'The request body must hold an image.' });
  }
  return image as Record<string, unknown>;
}

function readable(data: Record<string, unknown>, prefix: string) {
  try {
    return imageValues(data);
  } catch (error) {
    if (error instanceof InvalidValue)
      throw imageFault('InvalidImage', { detail: `${prefix} Got error: ${error.message}` });
    throw error;
  }
}
