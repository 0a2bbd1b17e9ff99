import { must } from '@folsom/core';
import {
  answer,
  bytesFromUtf8,
  type Headers,
  lowerName,
  type ServerRequest,
  type ServerResponse,
  titleCase,
  utf8FromBytes,
} from '@folsom/swift-http';
import type { AnyDb } from './database.ts';
import type { Metadata } from './metadata.ts';

/** The metadata headers of a request, with the time of their setting; names in the original's spelling. */
export function metadataOf(headers: Headers, timestamp: string, wanted: (name: string) => boolean): Metadata {
  const out: Metadata = {};
  const text = (bytes: string): string => utf8FromBytes(bytes) ?? bytes;
  for (const [name, value] of headers) {
    // Names and values are UTF-8 by custom; other bytes are kept as their latin1 characters.
    if (wanted(name)) out[text(titleCase(name))] = [text(value), timestamp];
  }
  return out;
}

/** Metadata as response headers; blank values are deleted ones. */
export function* metadataHeaders(
  metadata: Metadata,
  wanted: (name: string) => boolean,
): Iterable<[string, string]> {
  for (const [name, [value]] of Object.entries(metadata)) {
    const lower = lowerName(bytesFromUtf8(name));
    if (value !== '' && wanted(lower)) yield [lower, bytesFromUtf8(value)];
  }
}

/** As many items, and as many bytes of names and values, an account or container may have in all. */
const META_COUNT_MAX = 90;
const META_OVERALL_MAX = 4096;

/**
 * Merges a request's metadata into a database, unless the whole would then be more than a single request may bring:
 * many small changes must not get past the limits.
 * @returns the refusal, if any
 */
export function mergeMetadata(
  db: AnyDb,
  updates: Metadata,
  prefix: string,
  http: ServerRequest,
): ServerResponse | null {
  const names = Object.keys(updates);
  if (!names.length) return null;
  const lower = prefix.toLowerCase();
  const grows = names.some(
    name => name.toLowerCase().startsWith(lower) && must(updates[name], 'name is in updates')[0] !== '',
  );
  if (grows) {
    let count = 0;
    let size = 0;
    for (const [name, [value]] of Object.entries({ ...db.metadata(), ...updates })) {
      if (value === '' || !name.toLowerCase().startsWith(lower)) continue;
      count++;
      size += name.length - lower.length + Buffer.byteLength(value);
    }
    const tooMuch =
      count > META_COUNT_MAX
        ? `Too many metadata items; max ${META_COUNT_MAX}`
        : size > META_OVERALL_MAX
          ? `Total metadata too large; max ${META_OVERALL_MAX}`
          : null;
    if (tooMuch) return answer(400, http, { body: tooMuch, contentType: 'text/plain' });
  }
  db.updateMetadata(updates);
  return null;
}
