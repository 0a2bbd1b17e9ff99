import { isFault } from '@folsom/core';
import type { ImageWire } from '../domain/images.ts';
import type { Call } from './http/action.ts';
import { ec2Fault } from './http/faults.ts';
import { numberIn } from './ids.ts';

export type ImagePrefix = 'ami' | 'aki' | 'ari';

/** What an image is for EC2, by its container. */
export const imagePrefix = ({
  container_format: format,
}: Pick<ImageWire, 'container_format'>): ImagePrefix =>
  format === 'aki' || format === 'kernel' ? 'aki' : format === 'ari' || format === 'ramdisk' ? 'ari' : 'ami';

/**
 * The image that an id of EC2's names, or that is called so.
 *
 * @throws Fault `ImageNotFound` with what was asked for; also where the id's prefix says that it is something else
 */
export async function imageNamed(call: Call, id: string): Promise<ImageWire> {
  const { domain, context } = call;
  const missing = () => ec2Fault('ImageNotFound', { image_id: id });
  const image = await imageByNumber(call, id);
  if (image === undefined) {
    const [named] = await domain.images.list(context, { filters: { name: id }, limit: 1 });
    if (!named) throw missing();
    return named;
  }
  if (imagePrefix(image) !== id.split('-')[0]) throw missing();
  return image;
}

/** The same for several, in their order; the image service is asked once for those it lists. */
export async function imagesNamed(call: Call, ids: readonly string[]): Promise<ImageWire[]> {
  const listed = ids.length > 1 ? await listedByNumber(call, ids) : new Map<number, ImageWire>();
  const images: ImageWire[] = [];
  for (const id of ids) {
    const image = listed.get(numberIn(id) ?? -1);
    const fits = image !== undefined && imagePrefix(image) === id.split('-')[0];
    images.push(fits ? image : await imageNamed(call, id));
  }
  return images;
}

async function listedByNumber(
  { domain, context }: Call,
  ids: readonly string[],
): Promise<Map<number, ImageWire>> {
  const numbers = ids.map(numberIn).filter(number => number !== undefined);
  const uuids = await domain.ec2Ids.uuids(context, 'image', numbers);
  const images = new Map(
    (await domain.images.list(context, { filters: {} })).map(image => [image.id, image]),
  );
  const found = [...uuids].map(([number, uuid]) => [number, images.get(uuid)] as const);
  return new Map(found.filter((one): one is [number, ImageWire] => one[1] !== undefined));
}

async function imageByNumber({ domain, context }: Call, id: string): Promise<ImageWire | undefined> {
  const number = numberIn(id);
  const uuid = number === undefined ? undefined : await domain.ec2Ids.uuid(context, 'image', number);
  if (uuid === undefined) return undefined;
  return domain.images.get(context, uuid).catch(error => {
    if (isFault(error, 'ImageNotFound')) return undefined;
    throw error;
  });
}

/** A property that is a text; of anything else there is none. */
export const textProperty = ({ properties }: ImageWire, name: string): string | null => {
  const value = properties[name];
  return typeof value === 'string' && value !== '' ? value : null;
};

/** What a property that holds a list of objects holds; images may say anything. */
export function listProperty({ properties }: ImageWire, name: string): Record<string, unknown>[] {
  const value = properties[name];
  if (!Array.isArray(value)) return [];
  return value.filter(
    (item: unknown): item is Record<string, unknown> => item !== null && typeof item === 'object',
  );
}

/** `pending`, `available` …: what a registration from a bundle says of itself, else glance's own word. */
export const imageState = (image: ImageWire): string =>
  textProperty(image, 'image_state') ?? (image.status === 'active' ? 'available' : image.status);
