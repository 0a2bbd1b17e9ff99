import type { Readable } from 'node:stream';
import type { FastifyRequest } from 'fastify';
import { bodyStream, contentLength } from '../bodies.ts';
import { imageFault } from '../faults.ts';
import type { ApiParts } from '../parts.ts';
import { type HeaderMeta, headerText, metaFromHeaders, truthOf } from './headers.ts';
import { validateImageFields } from './validation.ts';

/** A request that makes or changes an image. */
export interface ImageRequest {
  meta: HeaderMeta;
  /** Null when no body was sent. */
  data: Readable | null;
  /** Bytes of the body, or null when unknown. */
  contentLength: number | null;
  contentType: string | undefined;
  copyFrom: string | null;
  storeScheme: string | null;
  purgeProperties: boolean;
}

/** @throws 400 */
export function imageRequest(parts: ApiParts, request: FastifyRequest): ImageRequest {
  const meta = metaFromHeaders(request.headers);
  validateImageFields(meta.fields);
  const length = contentLength(request);
  const size = length ?? meta.fields.size ?? null;
  if (size !== null && size > parts.settings.image_size_cap) {
    throw imageFault('InvalidImage', {
      explanation: `Denying attempt to upload image larger than ${parts.settings.image_size_cap} bytes.`,
    });
  }
  const text = (name: string): string | null => {
    const value = request.headers[name];
    return value === undefined || value === '' ? null : headerText(value);
  };
  const purge = text('x-glance-registry-purge-props');
  return {
    meta,
    data: bodyStream(request),
    contentLength: length,
    contentType: request.headers['content-type'],
    copyFrom: text('x-glance-api-copy-from'),
    storeScheme: text('x-image-meta-store'),
    purgeProperties: purge === null ? true : truthOf(purge),
  };
}
