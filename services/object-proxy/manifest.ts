import { hash } from 'node:crypto';
import { must } from '@folsom/core';
import { readRange } from '@folsom/swift';
import {
  answer,
  type BodyStream,
  bodyOf,
  dropBody,
  type Headers,
  httpDate,
  parseHttpDate,
  quotePath,
  responseBytes,
  type ServerResponse,
  unquoteBytes,
  utf8FromBytes,
} from '@folsom/swift-http';
import { type ReadResponse, readFrom } from './backend-read.ts';
import { isNotModified } from './conditional.ts';
import { LIMIT } from './constraints.ts';
import { type ProxyCore, placeOf, shuffled, usableNodes } from './nodes.ts';
import { type ProxyRequest, subRequest } from './request.ts';

export interface ListedSegment {
  name: string;
  bytes: number;
  hash: string;
  last_modified: string;
}

/** A listing that could not be had; the answer for the client. */
export class ListingRefused extends Error {
  readonly response: ServerResponse;
  constructor(response: ServerResponse) {
    super(`listing refused with ${response.status}`);
    this.response = response;
  }
}

/**
 * The objects of a container that begin with a prefix, page by page, under the client's own rights.
 * @throws ListingRefused
 */
export async function* listObjects(
  core: ProxyCore,
  request: ProxyRequest,
  account: string,
  container: string,
  prefix: string,
): AsyncGenerator<ListedSegment[], void> {
  const place = placeOf(core, 'container', account, container);
  for (let marker = ''; ; ) {
    const response = await readFrom(core, {
      kind: 'container',
      place,
      nodes: shuffled(place.nodes, core.world),
      method: 'GET',
      path: quotePath(`/${account}/${container}`),
      query: `format=json&prefix=${encodeURIComponent(prefix)}&marker=${encodeURIComponent(marker)}`,
      headers: new Map(),
      transId: request.transId,
    });
    if (request.authorize) {
      const listing = subRequest(request, { method: 'GET', path: `/v1/${account}/${container}` });
      listing.acl = response.headers.get('x-container-read');
      // A listing made for the client's request is no listing request: its referrer counts as well.
      listing.headers = request.headers;
      const refused = request.authorize(listing);
      if (refused) {
        dropBody(response);
        throw new ListingRefused(refused);
      }
    }
    if (response.status === 404) {
      dropBody(response);
      throw new ListingRefused(answer(404, request));
    }
    if (response.status < 200 || response.status >= 300) {
      dropBody(response);
      throw new ListingRefused(answer(500, request));
    }
    const text = await responseBytes(response);
    const page = text.length ? (JSON.parse(text.toString('utf8')) as ListedSegment[]) : [];
    if (!page.length) return;
    yield page;
    marker = must(page[page.length - 1], 'page is not empty').name;
  }
}

/** Where the segments of a manifest lie. */
interface Segments {
  account: string;
  container: string;
  prefix: string;
}

function segmentsOf(account: string, manifest: string): Segments {
  const slash = manifest.indexOf('/');
  const decode = (bytes: string): string => utf8FromBytes(unquoteBytes(bytes)) ?? bytes;
  return {
    account,
    container: decode(slash < 0 ? manifest : manifest.slice(0, slash)),
    prefix: decode(slash < 0 ? '' : manifest.slice(slash + 1)),
  };
}

/** The segments of the first pages; `more` where that is not known to be all of them. */
async function firstSegments(
  pages: AsyncGenerator<ListedSegment[], void>,
): Promise<{ segments: ListedSegment[]; more: boolean }> {
  const segments: ListedSegment[] = [];
  for await (const page of pages) {
    segments.push(...page);
    if (segments.length > LIMIT.listing) return { segments, more: true };
  }
  return { segments, more: false };
}

/** Serves an object whose content is that of the segments its manifest header names. */
export async function readManifest(
  core: ProxyCore,
  request: ProxyRequest,
  account: string,
  manifest: string,
  found: ReadResponse,
): Promise<ReadResponse> {
  dropBody(found);
  const named = segmentsOf(account, manifest);
  const { container, prefix } = named;
  const pages = () => listObjects(core, request, account, container, prefix);
  try {
    const { segments, more } = await firstSegments(pages());
    if (!more) return knownSegments(core, request, named, segments, found);
    const headers = segmentedHeaders(found);
    // Too many to know the length of in advance.
    headers.delete('content-length');
    headers.delete('etag');
    const last = must(segments[segments.length - 1], 'segments is not empty').name;
    const all = chain(segments, pages(), last);
    const body =
      request.method === 'HEAD' ? null : segmentStream(core, request, account, container, all, 0, null);
    return { status: 200, headers, body };
  } catch (error) {
    if (error instanceof ListingRefused) return error.response;
    throw error;
  }
}

const segmentedHeaders = (found: ReadResponse): Headers =>
  new Map([...found.headers, ['accept-ranges', 'bytes']]);

/** When the newest segment changed, or else the manifest itself; milliseconds. */
function lastChange(segments: readonly ListedSegment[], headers: Headers): number | null {
  const times = segments.map(segment => segment.last_modified).sort();
  const newest = times.at(-1) ?? '';
  return newest ? Date.parse(`${newest.slice(0, 19)}Z`) : parseHttpDate(headers.get('last-modified') ?? '');
}

/** The answer of segments that are all known. */
function knownSegments(
  core: ProxyCore,
  request: ProxyRequest,
  { account, container }: Segments,
  segments: ListedSegment[],
  found: ReadResponse,
): ReadResponse {
  const headers = segmentedHeaders(found);
  const length = segments.reduce((sum, segment) => sum + segment.bytes, 0);
  const etag = hash('md5', segments.map(segment => segment.hash).join(''), 'hex');
  const modified = lastChange(segments, headers);
  headers.set('etag', `"${etag}"`);
  if (modified !== null && !Number.isNaN(modified)) headers.set('last-modified', httpDate(modified));
  if (isNotModified(request.headers, etag, modified)) {
    headers.delete('content-length');
    headers.delete('content-type');
    return { status: 304, headers, body: null };
  }
  const range = readRange(request.headers.get('range'), length);
  if (range.kind === 'unsatisfiable') {
    const body = Buffer.from(`Requested range not satisfiable: ${range.shown}`);
    headers.set('content-type', 'text/plain');
    headers.set('content-range', `bytes */${length}`);
    headers.set('content-length', String(body.length));
    return { status: 416, headers, body };
  }
  const part = range.kind === 'part';
  const [first, end] = part ? [range.start, range.end] : [0, length];
  headers.set('content-length', String(end - first));
  if (part) headers.set('content-range', `bytes ${first}-${end - 1}/${length}`);
  const body =
    request.method === 'HEAD' || length === 0
      ? null
      : segmentStream(core, request, account, container, once(segments), first, end - first);
  return {
    status: part ? 206 : 200,
    headers,
    body,
    ...(found.timestamp === undefined ? {} : { timestamp: found.timestamp }),
  };
}

async function* once(segments: ListedSegment[]): AsyncGenerator<ListedSegment> {
  yield* segments;
}

async function* chain(
  known: ListedSegment[],
  pages: AsyncGenerator<ListedSegment[], void>,
  lastKnown: string,
): AsyncGenerator<ListedSegment> {
  yield* known;
  let past = false;
  for await (const page of pages) {
    for (const segment of page) {
      if (past) yield segment;
      else if (segment.name === lastKnown) past = true;
    }
  }
}

/** The bytes of the segments one after the other, from `offset` on, at most `length` of them. */
function segmentStream(
  core: ProxyCore,
  request: ProxyRequest,
  account: string,
  container: string,
  segments: AsyncGenerator<ListedSegment>,
  offset: number,
  length: number | null,
): BodyStream {
  const { clock } = core.world;
  const { rateLimitAfterSegment, rateLimitSegmentsPerSec } = core.options;
  let current: BodyStream | null = null;
  let skip = offset;
  let left = length ?? Number.POSITIVE_INFINITY;
  let opened = 0;
  let nextAt = 0;
  let cancelled = false;

  const open = async (): Promise<BodyStream | null> => {
    for (;;) {
      const next = await segments.next();
      if (next.done) return null;
      const segment = next.value;
      if (skip >= segment.bytes) {
        skip -= segment.bytes;
        opened++;
        continue;
      }
      opened++;
      if (opened > rateLimitAfterSegment && rateLimitSegmentsPerSec > 0) {
        const wait = nextAt - clock.monotonic();
        if (wait > 0) await clock.sleep(wait);
      }
      nextAt = clock.monotonic() + 1000 / rateLimitSegmentsPerSec;
      const place = placeOf(core, 'object', account, container, segment.name);
      const order = { ...place, nodes: shuffled(place.nodes, core.world) };
      const headers = new Map<string, string>();
      const want = segment.bytes - skip;
      if (skip > 0 || left < want) headers.set('range', `bytes=${skip}-${skip + Math.min(left, want) - 1}`);
      skip = 0;
      const response = await readFrom(core, {
        kind: 'object',
        place,
        nodes: usableNodes(core, 'object', order),
        method: 'GET',
        path: quotePath(`/${account}/${container}/${segment.name}`),
        headers,
        transId: request.transId,
      });
      if (response.status < 200 || response.status >= 300 || response.body === null) {
        dropBody(response);
        throw new Error(`segment ${container}/${segment.name} could not be read: ${response.status}`);
      }
      if (cancelled) {
        dropBody(response);
        return null;
      }
      return Buffer.isBuffer(response.body) ? bodyOf(response.body) : response.body;
    }
  };

  return {
    read: async () => {
      for (;;) {
        if (cancelled || left <= 0) return null;
        current ??= await open();
        if (!current) return null;
        const chunk = await current.read();
        if (chunk === null) {
          current = null;
          continue;
        }
        if (chunk.length <= left) {
          left -= chunk.length;
          return chunk;
        }
        const part = chunk.subarray(0, left);
        left = 0;
        current.cancel();
        current = null;
        return part;
      }
    },
    cancel: () => {
      cancelled = true;
      current?.cancel();
      current = null;
      void segments.return(undefined);
    },
  };
}
