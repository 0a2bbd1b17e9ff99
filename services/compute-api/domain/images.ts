import type { RequestContext } from '@folsom/core';
import type { ImageWire } from '@folsom/nova/rpc/wire';
import type { Deps } from './deps.ts';
import { computeFault } from './faults.ts';
import { limitsFor } from './quota-checks.ts';

export type { ImageWire };

export interface ImageQuery {
  /** As the image service knows them. */
  filters: Record<string, string>;
  limit?: number;
  marker?: string;
}

/** @throws Fault `Invalid` for a marker or filter that the image service refuses */
export const listImages = (
  deps: Deps,
  context: RequestContext,
  query: ImageQuery,
): Promise<readonly ImageWire[]> => deps.images.list(context, query);

/** @throws Fault `ImageNotFound`, `ImageNotAuthorized` */
export const getImage = (deps: Deps, context: RequestContext, id: string): Promise<ImageWire> =>
  deps.images.show(context, id);

/** @throws Fault `ImageNotFound`, `ImageNotAuthorized` */
export const deleteImage = (deps: Deps, context: RequestContext, id: string): Promise<void> =>
  deps.images.delete(context, id);

/** What may be changed of an image besides its properties. */
export type ImageChanges = Partial<Pick<ImageWire, 'name' | 'is_public' | 'min_disk' | 'min_ram'>>;

/** Changes an image and leaves its properties. @throws Fault `ImageNotFound`, `ImageNotAuthorized` */
export async function changeImage(
  deps: Deps,
  context: RequestContext,
  id: string,
  changes: ImageChanges,
): Promise<ImageWire> {
  const { properties } = await deps.images.show(context, id);
  return deps.images.update(context, id, { ...changes, properties });
}

type Properties = Record<string, unknown>;

/** Adds to an image's properties. @throws Fault `ImageNotFound`, `ImageMetadataLimitExceeded`, `InvalidImageMetadata` */
export async function addImageMetadata(
  deps: Deps,
  context: RequestContext,
  id: string,
  added: Properties,
): Promise<Properties> {
  const { properties } = await deps.images.show(context, id);
  const all = await checkedImageMetadata(deps, context, { ...properties, ...added });
  return (await deps.images.update(context, id, { properties: all })).properties;
}

/** Puts others in the place of an image's properties. */
export async function replaceImageMetadata(
  deps: Deps,
  context: RequestContext,
  id: string,
  metadata: Properties,
): Promise<Properties> {
  await deps.images.show(context, id);
  const properties = await checkedImageMetadata(deps, context, metadata);
  await deps.images.update(context, id, { properties });
  return properties;
}

/** @throws Fault `ImageNotFound`, `ImageMetadataNotFound` */
export async function deleteImageMetadata(
  deps: Deps,
  context: RequestContext,
  id: string,
  key: string,
): Promise<void> {
  const { properties } = await deps.images.show(context, id);
  if (!Object.hasOwn(properties, key)) throw computeFault('ImageMetadataNotFound');
  const { [key]: _gone, ...rest } = properties;
  await deps.images.update(context, id, { properties: rest });
}

const KEY_CHARS_MAX = 255;

/** Properties of an image within the tenant's quota. @throws Fault `ImageMetadataLimitExceeded`, `InvalidImageMetadata` */
export async function checkedImageMetadata(
  deps: Deps,
  context: RequestContext,
  metadata: Properties,
): Promise<Record<string, string>> {
  const { metadata_items } = await limitsFor(deps, context);
  const entries = Object.entries(metadata);
  if (metadata_items >= 0 && entries.length > metadata_items) {
    throw computeFault('ImageMetadataLimitExceeded');
  }
  return Object.fromEntries(
    entries.map(([key, value]) => {
      if (key.length === 0) throw computeFault('InvalidImageMetadata', { reason: 'cannot be blank' });
      if (key.length > KEY_CHARS_MAX) throw computeFault('InvalidImageMetadata', { reason: 'too long' });
      return [key, typeof value === 'string' ? value : JSON.stringify(value)];
    }),
  );
}
