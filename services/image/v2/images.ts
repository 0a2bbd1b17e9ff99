import { isoSeconds, must } from '@folsom/core';
import type { ImageContext } from '../context.ts';
import { imageFault } from '../faults.ts';
import type { Image, ImageValues } from '../image.ts';
import { imageMeta } from '../image.ts';
import { enforce, requireWritable } from '../policy.ts';
import { plainLocation } from '../registry/encryption.ts';
import { visibleImage } from '../registry/images.ts';
import { InvalidValue, imageValues } from '../registry/values.ts';
import { removeImageData } from '../removal.ts';
import { deleteImage, findImage, insertImage, updateImage } from '../repository/images.ts';
import { listImages } from '../repository/listing.ts';
import { loadTags, setTags } from '../repository/tags.ts';
import { updateStoreAcls } from '../v1/acls.ts';
import { isMutable } from '../visibility.ts';
import { type ListQuery, listQuery, requireMarker } from './listing.ts';
import type { V2Parts } from './parts.ts';
import {
  BASE_ATTRIBUTES,
  type Change,
  parseLaterPatch,
  parsePatch,
  refuseForbiddenName,
  refuseInvalid,
} from './patch.ts';
import type { ImageSchema } from './schema.ts';

export type Shown = Record<string, unknown> & { self: string };

const TAGS_MAX = 1000;

/** The image as version 2 shows it. Empty attributes are left out. */
function imageView(parts: V2Parts, schema: ImageSchema, image: Image, tags: readonly string[]): Shown {
  const href = `/v2/images/${encodeURIComponent(image.id)}`;
  const location = plainLocation(parts.cipher, image.location);
  const view: Shown = {
    ...image.properties,
    id: image.id,
    name: image.name,
    disk_format: image.disk_format,
    container_format: image.container_format,
    size: image.size,
    status: image.status,
    checksum: image.checksum,
    tags,
    protected: image.protected,
    created_at: isoSeconds(image.created_at),
    updated_at: image.updated_at === null ? null : isoSeconds(image.updated_at),
    min_ram: image.min_ram,
    min_disk: image.min_disk,
    ...(parts.settings.show_image_direct_url && location ? { direct_url: location } : {}),
    visibility: image.is_public ? 'public' : 'private',
    self: href,
    file: `${href}/file`,
    schema: '/v2/schemas/image',
  };
  for (const [name, value] of Object.entries(view)) {
    if (value === null || !schema.shows(name)) delete view[name];
  }
  return view;
}

async function viewOf(parts: V2Parts, schema: ImageSchema, image: Image): Promise<Shown> {
  return imageView(parts, schema, image, (await loadTags(parts.db, [image.id])).get(image.id) ?? []);
}

/** One page; `next` is the id the next page begins after. */
export async function listV2(
  parts: V2Parts,
  schema: ImageSchema,
  context: ImageContext,
  query: ListQuery,
): Promise<{ images: Shown[]; next: string | null }> {
  const wanted = listQuery(query, context, parts.settings);
  if (wanted.marker !== undefined) await requireMarker(parts, context, wanted.marker);
  const images = await listImages(parts.db, wanted);
  const tags = await loadTags(
    parts.db,
    images.map(image => image.id),
  );
  return {
    images: images.map(image => imageView(parts, schema, image, tags.get(image.id) ?? [])),
    next:
      images.length > 0 && images.length === wanted.limit
        ? must(images.at(-1), 'images is not empty').id
        : null,
  };
}

async function existing(parts: V2Parts, context: ImageContext, id: string): Promise<Image> {
  const image = await visibleImage(parts, context, id);
  if (!image || image.deleted) throw imageFault('ImageNotFound');
  return image;
}

export async function showV2(
  parts: V2Parts,
  schema: ImageSchema,
  context: ImageContext,
  id: string,
): Promise<Shown> {
  return viewOf(parts, schema, await existing(parts, context, id));
}

export async function createV2(
  parts: V2Parts,
  schema: ImageSchema,
  context: ImageContext,
  body: unknown,
): Promise<Shown> {
  refuseInvalid(schema, body);
  const given = body as Record<string, unknown>;
  for (const name of Object.keys(given)) refuseForbiddenName(name);
  requireWritable(context);
  if (given.visibility === 'public') enforce(parts.policy, context, 'publicize_image');

  const { values, properties } = columns(given);
  const id = typeof given.id === 'string' ? given.id : parts.world.random.uuid();
  const now = parts.world.clock.now();
  const added = await insertImage(
    parts.db,
    id,
    { ...values, owner: context.owner, status: 'queued' },
    properties,
    now,
  );
  if (!added) throw imageFault('ImageExists', { explanation: `Image ID ${id} already exists!` });
  const tags = tagList(given.tags);
  if (tags.length > 0) await setTags(parts.db, id, tags, now);
  const image = (await findImage(parts.db, id, { withDeleted: false })) ?? (await gone());
  parts.notifier.notify(context, 'image.update', 'INFO', imageMeta(image));
  return imageView(parts, schema, image, tags);
}

const gone = (): Promise<never> => Promise.reject(imageFault('ImageNotFound'));

/** What a body or a PATCH says, split into columns and properties. */
function columns(given: Record<string, unknown>): {
  values: ImageValues;
  properties: Record<string, string | null>;
} {
  const { visibility, tags: _tags, id: _id, ...rest } = given;
  const properties = Object.fromEntries(
    Object.entries(rest).filter(([name]) => !BASE_ATTRIBUTES.includes(name)),
  );
  const base = Object.fromEntries(Object.entries(rest).filter(([name]) => BASE_ATTRIBUTES.includes(name)));
  try {
    const read = imageValues({ ...base, properties });
    return {
      values: {
        ...read.values,
        ...(visibility === undefined ? {} : { is_public: visibility === 'public' }),
      },
      properties: read.properties ?? {},
    };
  } catch (error) {
    if (error instanceof InvalidValue) throw imageFault('InvalidImage', { explanation: error.message });
    throw error;
  }
}

function tagList(tags: unknown): string[] {
  const list = Array.isArray(tags) ? [...new Set(tags as string[])] : [];
  if (list.length > TAGS_MAX) throw imageFault('InvalidImage', { explanation: 'Too many tags.' });
  return list;
}

/** @param later whether `body` is in the form of the next release */
export async function updateV2(
  parts: V2Parts,
  schema: ImageSchema,
  context: ImageContext,
  id: string,
  body: unknown,
  later: boolean,
): Promise<Shown> {
  const image = await visibleImage(parts, context, id);
  const changes = later
    ? parseLaterPatch(body, schema, (image && (await loadTags(parts.db, [id])).get(id)) ?? [])
    : parsePatch(body, schema);
  requireWritable(context);
  if (!image || image.deleted) {
    throw imageFault('ImageNotFound', { explanation: `Failed to find image ${id} to update` });
  }
  const { base, properties } = applied(parts, context, image, changes);
  const now = parts.world.clock.now();
  if (Object.keys(base).length > 0 || properties !== null) {
    if (!isMutable(context, image)) throw imageFault('ImageNotFound');
    const { values } = columns(base);
    const changed = await updateImage(
      parts.db,
      id,
      { values, ...(properties ? { properties, purgeProperties: true } : {}) },
      now,
    );
    if (!changed) throw imageFault('ImageNotFound');
    if (base.tags !== undefined) await setTags(parts.db, id, tagList(base.tags), now);
  }
  const after = await existing(parts, context, id);
  await updateStoreAcls(parts, context, {
    ...after,
    location: plainLocation(parts.cipher, after.location),
  });
  parts.notifier.notify(context, 'image.update', 'INFO', imageMeta(after));
  return viewOf(parts, schema, after);
}

/** The attributes a PATCH sets and, when it touches any, all properties as they will be. */
function applied(
  parts: V2Parts,
  context: ImageContext,
  image: Image,
  changes: readonly Change[],
): { base: Record<string, unknown>; properties: Record<string, string | null> | null } {
  const base: Record<string, unknown> = {};
  let properties: Record<string, string | null> | null = null;
  for (const { op, name, isProperty, value } of changes) {
    if (!isProperty) {
      if (op === 'remove')
        throw imageFault('AttributeForbidden', { explanation: `Attribute '${name}' may not be removed.` });
      if (op === 'add') throw imageFault('PatchConflict', { detail: `Property ${name} already present.` });
      if (name === 'id')
        throw imageFault('AttributeForbidden', { explanation: "Attribute 'id' is read-only." });
      if (name === 'visibility' && value === 'public') enforce(parts.policy, context, 'publicize_image');
      base[name] = value;
      continue;
    }
    properties ??= { ...image.properties };
    const present = Object.hasOwn(properties, name);
    if (op === 'add') {
      if (present) throw imageFault('PatchConflict', { detail: `Property ${name} already present.` });
      properties[name] = value as string;
      continue;
    }
    if (!present) throw imageFault('PatchConflict', { detail: `Property ${name} does not exist.` });
    if (op === 'remove') delete properties[name];
    else properties[name] = value as string;
  }
  return { base, properties };
}

export async function deleteV2(parts: V2Parts, context: ImageContext, id: string): Promise<void> {
  requireWritable(context);
  const image = await existing(parts, context, id);
  if (image.protected) {
    throw imageFault('ImageProtected', { explanation: `Unable to delete as image ${id} is protected` });
  }
  if (!isMutable(context, image)) throw imageFault('ImageNotFound');
  // Noted first: a crash between the image and its bytes must leave no bytes.
  const note = await parts.uploads.note(id, 'delete', '', image.owner);
  const before = await deleteImage(
    parts.db,
    id,
    { status: image.location && parts.settings.delayed_delete ? 'pending_delete' : 'deleted' },
    parts.world.clock.now(),
  );
  if (!before) {
    await note.close();
    throw imageFault('ImageNotFound');
  }
  parts.uploads.abort(id);
  const location = plainLocation(parts.cipher, before.location);
  const removed = location ? await removeImageData(parts, context, id, location) : true;
  if (removed) await note.close();
  await parts.cache?.remove(id);
  parts.notifier.notify(context, 'image.delete', 'INFO', imageMeta(before));
}
