import { must } from '@folsom/core';
import {
  answer,
  type BodyStream,
  bodyOf,
  dropBody,
  EMPTY_BODY,
  type Headers,
  quotePath,
  type ServerResponse,
  unquoteBytes,
  utf8FromBytes,
} from '@folsom/swift-http';
import { badObjectCreation, LIMIT } from './constraints.ts';
import type { ProxyCore } from './nodes.ts';
import { handleObjectRead } from './object-read.ts';
import { isTrue, type ProxyRequest, subRequest } from './request.ts';

/** What an object is made of: sent with the request, or read from another object. */
export interface ObjectSource {
  body: BodyStream;
  /** Bytes; null if that is not known yet. */
  length: number | null;
  /** Headers that go to the storage nodes. */
  headers: Headers;
  /** What the answer to a copy says of its source. */
  copied: Headers;
}

/** `/container/object` of a header, with the slash before it that clients may leave out; null if it is none. */
export function namedObject(header: string): { container: string; object: string; path: string } | null {
  const plain = utf8FromBytes(unquoteBytes(header)) ?? '';
  const path = plain.startsWith('/') ? plain : `/${plain}`;
  const slash = path.indexOf('/', 1);
  // Neither name may be empty: what is left would be the account or the container.
  if (slash < 2 || slash === path.length - 1) return null;
  return { container: path.slice(1, slash), object: path.slice(slash + 1), path };
}

/** Headers of a copy that are about the bytes sent with it, or about the new object: no business of its source. */
const NOT_FOR_SOURCE = /^(content-|x-object-|x-copy-from|transfer-encoding)/;
/** Headers that say which bytes are read. */
const READ_ONLY = ['x-copy-from', 'destination', 'transfer-encoding', 'range'];

/**
 * Opens the object that X-Copy-From names, under the conditions and in the range that the request asks for.
 * @param typeGiven whether the client said of what type the copy is
 * @returns the answer for the client if there is nothing to copy
 */
export async function copySource(
  core: ProxyCore,
  request: ProxyRequest,
  account: string,
  object: string,
  typeGiven: boolean,
): Promise<ObjectSource | ServerResponse> {
  const { headers } = request;
  const from = namedObject(must(headers.get('x-copy-from'), 'the headers have x-copy-from'));
  if (!from) {
    return answer(412, request, {
      body: 'X-Copy-From header must be of the form<container name>/<object name>',
    });
  }
  const read = subRequest(request, {
    method: 'GET',
    path: `/v1/${account}${from.path}`,
    headers: new Map([...headers].filter(([name]) => !NOT_FOR_SOURCE.test(name))),
  });
  read.headers.set('x-newest', 'true');
  const source = await handleObjectRead(core, read, account, from.container, from.object);
  if (source.status >= 300) return source;
  const refuse = (refusal: ServerResponse): ServerResponse => {
    dropBody(source);
    return refusal;
  };
  const length = source.headers.get('content-length');
  // A manifest of too many segments to know.
  if (length === undefined) return refuse(answer(413, request));
  if (Number(length) > LIMIT.fileSize) {
    return refuse(answer(413, request, { body: 'Your request is too large.', contentType: 'text/plain' }));
  }
  const outgoing = copyHeaders(headers, source, typeGiven);
  // The limits hold for what the copy will have, not only for what was sent.
  const whole = { ...request, headers: new Map([...outgoing, ['content-length', '0']]) };
  const tooMuch = badObjectCreation(whole, object);
  if (tooMuch) return refuse(tooMuch);
  const copied: Headers = new Map([['x-copied-from', quotePath(from.path.slice(1))]]);
  const modified = source.headers.get('last-modified');
  if (modified !== undefined) copied.set('x-copied-from-last-modified', modified);
  for (const [name, value] of outgoing) if (name.startsWith('x-object-meta-')) copied.set(name, value);
  const { body } = source;
  return {
    body: body === null ? EMPTY_BODY : Buffer.isBuffer(body) ? bodyOf(body) : body,
    length: Number(length),
    headers: outgoing,
    copied,
  };
}

function copyHeaders(headers: Headers, source: ServerResponse, typeGiven: boolean): Headers {
  const outgoing: Headers = new Map(headers);
  for (const name of READ_ONLY) outgoing.delete(name);
  const etag = source.headers.get('etag');
  // The tag of a manifest is not the digest of its bytes, nor is that of the whole the digest of a part.
  const digest = source.status === 200 && etag !== undefined && !etag.startsWith('"');
  if (digest && !outgoing.has('etag')) outgoing.set('etag', etag);
  if (!typeGiven)
    outgoing.set('content-type', source.headers.get('content-type') ?? 'application/octet-stream');
  if (isTrue(headers.get('x-fresh-metadata'))) return outgoing;
  for (const [name, value] of source.headers) {
    if (name.startsWith('x-object-meta-') && !headers.has(name)) outgoing.set(name, value);
  }
  return outgoing;
}
