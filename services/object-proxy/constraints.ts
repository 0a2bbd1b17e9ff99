import { answer, type ServerResponse, utf8FromBytes } from '@folsom/swift-http';
import type { ProxyRequest } from './request.ts';

/** What swift 1.7.4 takes; sizes in bytes. */
export const LIMIT = {
  fileSize: 5 * 1024 ** 3 + 2,
  metaName: 128,
  metaValue: 256,
  metaCount: 90,
  metaOverall: 4096,
  objectName: 1024,
  containerName: 256,
  accountName: 256,
  listing: 10_000,
} as const;

const plain = (request: ProxyRequest, body: string): ServerResponse =>
  answer(400, request, { body, contentType: 'text/plain' });

/** What is wrong with a request's metadata headers, if anything. */
export function badMetadata(
  request: ProxyRequest,
  kind: 'account' | 'container' | 'object',
): ServerResponse | null {
  const prefix = `x-${kind}-meta-`;
  let count = 0;
  let size = 0;
  for (const [key, value] of request.headers) {
    if (!key.startsWith(prefix)) continue;
    const name = key.slice(prefix.length);
    if (name === '') return plain(request, 'Metadata name cannot be empty');
    count++;
    size += name.length + value.length;
    if (name.length > LIMIT.metaName) return plain(request, `Metadata name too long; max ${LIMIT.metaName}`);
    if (value.length > LIMIT.metaValue)
      return plain(request, `Metadata value too long; max ${LIMIT.metaValue}`);
    if (count > LIMIT.metaCount) return plain(request, `Too many metadata items; max ${LIMIT.metaCount}`);
    if (size > LIMIT.metaOverall) return plain(request, `Total metadata too large; max ${LIMIT.metaOverall}`);
  }
  return null;
}

/** The announced length of a request's body; null if there is none. */
export function contentLength(request: ProxyRequest): number | null {
  const given = request.headers.get('content-length');
  return given === undefined || given === '' ? null : Number(given);
}

/** What is wrong with a request to make an object, if anything. */
export function badObjectCreation(request: ProxyRequest, objectName: string): ServerResponse | null {
  const { headers } = request;
  const length = contentLength(request);
  if (length !== null && length > LIMIT.fileSize) {
    return answer(413, request, { body: 'Your request is too large.', contentType: 'text/plain' });
  }
  if (length === null && headers.get('transfer-encoding') !== 'chunked') return answer(411, request);
  if (headers.has('x-copy-from') && length) return plain(request, 'Copy requests require a zero byte body');
  const nameLength = Buffer.byteLength(objectName);
  if (nameLength > LIMIT.objectName) {
    return plain(request, `Object name length of ${nameLength} longer than ${LIMIT.objectName}`);
  }
  const type = headers.get('content-type');
  if (type === undefined) return plain(request, 'No content type');
  if (type === '' || utf8FromBytes(type) === null) return plain(request, 'Invalid Content-Type');
  const manifest = headers.get('x-object-manifest');
  if (manifest !== undefined) {
    const slash = manifest.indexOf('/');
    const prefix = slash < 0 ? '' : manifest.slice(slash + 1);
    if (slash <= 0 || prefix === '' || /[?&]/.test(manifest) || prefix[0] === '/') {
      return answer(400, request, { body: 'X-Object-Manifest must in the format container/prefix' });
    }
  }
  return badMetadata(request, 'object');
}
