import type { Fault } from '@folsom/core';
import { type FaultAnswer, ownText } from '@folsom/http/operation';
import type { XmlElement } from '@folsom/wire';
import { readMetadata } from '@folsom/wire/nova-xml';
import { boolFromString, isUuidLike } from '../../domain/values.ts';
import type { VolumeRequest } from '../../domain/volume-creation.ts';
import type { JsonObject } from '../http/api.ts';
import { badRequest, unprocessable } from '../http/faults.ts';
import type { Faults } from '../http/operation.ts';
import { NAME_CHARS_MAX, readBy } from '../http/shapes.ts';
import { isObject, scalarText, shown } from '../http/values.ts';
import { present } from '../http/xml.ts';

/** Text that fits a column; null for none. */
function textIn(value: unknown): string | null {
  if (value === undefined || value === null) return null;
  const text = scalarText(value);
  if (text === undefined || text.length > NAME_CHARS_MAX) throw badRequest();
  return text;
}

function textsIn(value: unknown): Record<string, string> {
  if (value === undefined || value === null) return {};
  if (!isObject(value)) throw badRequest();
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => {
      const text = scalarText(item);
      if (text === undefined) throw badRequest();
      return [key, text];
    }),
  );
}

/** A key without a text, as the client of 2012 sends what has no `=`, is null. */
function metadataIn(value: unknown): Record<string, string | null> {
  if (!isObject(value)) return textsIn(value);
  const items = Object.entries(value);
  const texts = textsIn(Object.fromEntries(items.filter(([, item]) => item !== null)));
  return Object.fromEntries(items.map(([key]) => [key, texts[key] ?? null]));
}

/** The object of that name in a body. @throws 422 where there is none */
const objectIn = (body: unknown, name: string): JsonObject => {
  const inner = isObject(body) ? body[name] : undefined;
  if (!isObject(inner)) throw unprocessable();
  return inner;
};

export interface VolumeBody extends VolumeRequest {
  /** As it was sent; only an extension reads it. */
  imageRef: unknown;
}

/** What is wanted of a new volume, in either API. */
export const volumeBody = readBy((body): VolumeBody => {
  const volume = objectIn(body, 'volume');
  const snapshotId = textIn(volume.snapshot_id);
  const { size } = volume;
  const nothing = size === undefined || size === null;
  if ((nothing && snapshotId === null) || (!nothing && scalarText(size) === undefined)) throw badRequest();
  return {
    size,
    snapshotId,
    name: textIn(volume.display_name),
    description: textIn(volume.display_description),
    volumeType: textIn(volume.volume_type),
    metadata: metadataIn(volume.metadata),
    availabilityZone: textIn(volume.availability_zone),
    imageRef: volume.imageRef,
  };
}, '`volume`: `size` in gigabytes, or `snapshot_id`; names, type, zone and metadata.');

const ATTRIBUTES = [
  'display_name',
  'display_description',
  'size',
  'volume_type',
  'availability_zone',
  'snapshot_id',
  'imageRef',
];
export const readVolumeXml = (root: XmlElement) => ({
  volume: {
    ...present(root, ATTRIBUTES),
    metadata: readMetadata(root.children.find(({ name }) => name === 'metadata')),
  },
});

/** Id of the image that a volume is to hold. @throws 400 */
export function imageIdIn(body: VolumeBody): string | null {
  const { imageRef, snapshotId = null } = body;
  if (imageRef === undefined || imageRef === null || imageRef === '') return null;
  if (snapshotId !== null) throw badRequest('Snapshot and image cannot be specified together.');
  const id = typeof imageRef === 'string' ? imageRef.split('/').pop() : undefined;
  if (!isUuidLike(id)) throw badRequest('Invalid imageRef provided.');
  return id;
}

const WORDS = /^(0|1|true|false|yes|no|y|n|t|f)$/i;

export const snapshotBody = readBy(body => {
  const snapshot = objectIn(body, 'snapshot');
  const { force = false } = snapshot;
  const volumeId = textIn(snapshot.volume_id);
  if (volumeId === null) throw badRequest();
  if (!WORDS.test(scalarText(force) ?? '')) throw badRequest(`Invalid value '${shown(force)}' for force. `);
  return {
    volumeId,
    name: textIn(snapshot.display_name),
    description: textIn(snapshot.display_description),
    force: boolFromString(force),
  };
}, '`snapshot`: `volume_id`, names, and `force` for a volume in use.');

const specsIn = (specs: unknown): Record<string, string> => {
  if (specs === undefined || specs === null) return {};
  const texts = textsIn(specs);
  for (const [key, text] of Object.entries(texts))
    if (key === '' || key.length > NAME_CHARS_MAX || text.length > NAME_CHARS_MAX) throw badRequest();
  return texts;
};

export const typeBody = readBy(body => {
  const type = objectIn(body, 'volume_type');
  const name = textIn(type.name);
  if (name === null || name === '') throw unprocessable();
  return { name, specs: specsIn(type.extra_specs) };
}, '`volume_type`: `name` and `extra_specs`.');

/** The body as it was sent, which is the answer, and the texts in it. `missing` is said where there is nothing. */
export const specsBody = (missing: () => Fault) =>
  readBy((body): { sent: JsonObject; texts: Record<string, string> } => {
    if (!isObject(body) || !isObject(body.extra_specs)) throw missing();
    return { sent: body, texts: specsIn(body.extra_specs) };
  }, '`extra_specs`: keys and texts.');

export const oneSpecBody = (missing: () => Fault) =>
  readBy((body): { sent: JsonObject; texts: Record<string, string> } => {
    if (!isObject(body) || Object.keys(body).length === 0) throw missing();
    return { sent: body, texts: specsIn(body) };
  }, 'The key of the path and its text.');

/** @throws 400 where the body is not about the path's key alone */
export function aboutKey(sent: JsonObject, key: string): void {
  if (!Object.hasOwn(sent, key)) throw badRequest('Request body and URI mismatch');
  if (Object.keys(sent).length > 1) throw badRequest('Request body contains too many items');
}

const over: FaultAnswer = [413, fault => `${fault.name}: ${fault.message}`, { 'retry-after': '0' }];

export const createFaults = {
  VolumeTypeNotFoundByName: 404,
  SnapshotNotFound: 404,
  ImageNotFound: 404,
  ImageNotAuthorized: 404,
  VolumeSizeTooLarge: over,
  VolumeLimitExceeded: over,
  MetadataLimitExceeded: over,
  InvalidMetadataSize: [413, ownText],
} as const satisfies Faults;
export const volumeFaults = {
  VolumeNotFound: 404,
  SnapshotNotFound: 404,
} as const satisfies Faults;
export const typeFaults = {
  VolumeTypeNotFound: 404,
  VolumeTypeExtraSpecsNotFound: 404,
  VolumeTypeExists: [409, ownText],
} as const satisfies Faults;
