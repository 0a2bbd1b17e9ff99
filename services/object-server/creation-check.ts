import { answer, type ServerRequest, type ServerResponse, utf8FromBytes } from '@folsom/swift-http';

/** Limits of swift 1.7; sizes in bytes. */
const OBJECT_LIMITS = {
  fileSize: 5 * 2 ** 30 + 2,
  nameLength: 1024,
  metaNameLength: 128,
  metaValueLength: 256,
  metaCount: 90,
  metaOverallSize: 4096,
} as const;

/** Why an object of this name may not be put with these headers; null if it may. */
export function refuseCreation(http: ServerRequest, objectBytes: number): ServerResponse | null {
  const bad = (body: string) => answer(400, http, { body, contentType: 'text/plain' });
  const { headers } = http;
  const given = headers.get('content-length');
  if (given !== undefined && Number(given) < 0) return bad('Invalid Content-Length');
  if (given !== undefined && Number(given) > OBJECT_LIMITS.fileSize) {
    return answer(413, http, { body: 'Your request is too large.', contentType: 'text/plain' });
  }
  if (given === undefined && headers.get('transfer-encoding') !== 'chunked') return answer(411, http);
  if (headers.has('x-copy-from') && Number(given ?? 0) > 0)
    return bad('Copy requests require a zero byte body');
  if (objectBytes > OBJECT_LIMITS.nameLength) {
    return bad(`Object name length of ${objectBytes} longer than ${OBJECT_LIMITS.nameLength}`);
  }
  const type = headers.get('content-type');
  if (type === undefined) return bad('No content type');
  if (type === '' || utf8FromBytes(type) === null) return bad('Invalid Content-Type');
  const manifest = headers.get('x-object-manifest');
  if (manifest !== undefined && !/^[^/?&]+\/[^/?&][^?&]*$/.test(manifest)) {
    return bad('X-Object-Manifest must in the format container/prefix');
  }
  return refuseMetadata(http);
}

/** Why the metadata of a request is too much; null if it is not. */
export function refuseMetadata(http: ServerRequest): ServerResponse | null {
  const bad = (body: string) => answer(400, http, { body, contentType: 'text/plain' });
  const prefix = 'x-object-meta-';
  let count = 0;
  let size = 0;
  for (const [name, value] of http.headers) {
    if (!name.startsWith(prefix)) continue;
    const key = name.slice(prefix.length);
    if (key === '') return bad('Metadata name cannot be empty');
    count++;
    size += key.length + value.length;
    if (key.length > OBJECT_LIMITS.metaNameLength) {
      return bad(`Metadata name too long; max ${OBJECT_LIMITS.metaNameLength}`);
    }
    if (value.length > OBJECT_LIMITS.metaValueLength) {
      return bad(`Metadata value too long; max ${OBJECT_LIMITS.metaValueLength}`);
    }
    if (count > OBJECT_LIMITS.metaCount)
      return bad(`Too many metadata items; max ${OBJECT_LIMITS.metaCount}`);
    if (size > OBJECT_LIMITS.metaOverallSize) {
      return bad(`Total metadata too large; max ${OBJECT_LIMITS.metaOverallSize}`);
    }
  }
  return null;
}
