import type { RingDevice } from '@folsom/ring';
import {
  type BodyStream,
  type Headers,
  type InternalResponse,
  internalText,
  type ServerResponse,
} from '@folsom/swift-http';
import { type BackendAnswer, bestResponse, nodePath, noteFailure } from './backend-write.ts';
import type { Place, ProxyCore, ServerKind } from './nodes.ts';
import { isTrue, type ProxyRequest } from './request.ts';

/** An answer read from a storage node. */
export interface ReadResponse extends ServerResponse {
  /** X-Timestamp of what was found. */
  timestamp?: string;
}

const READ_HEADERS = [
  'range',
  'if-range',
  'if-match',
  'if-none-match',
  'if-modified-since',
  'if-unmodified-since',
  'accept',
  'user-agent',
  'referer',
] as const;

const DROPPED = new Set([
  'date',
  'content-length',
  'content-type',
  'connection',
  'x-put-timestamp',
  'x-delete-after',
  'transfer-encoding',
  'keep-alive',
  'server',
]);

export interface ReadOptions {
  kind: ServerKind;
  place: Place;
  /** Nodes in the order of asking. */
  nodes: Iterable<RingDevice>;
  method: 'GET' | 'HEAD';
  /** Quoted `/account[/container[/object]]`. */
  path: string;
  query?: string;
  headers: Headers;
  transId: string;
}

function sentHeaders(options: ReadOptions): [string, string][] {
  const headers: [string, string][] = [['X-Trans-Id', options.transId]];
  for (const name of READ_HEADERS) {
    const value = options.headers.get(name);
    if (value !== undefined) headers.push([name, value]);
  }
  // The original's servers take a query for ASCII unless the request has a type.
  if (options.query) headers.push(['Content-Type', 'text/plain']);
  return headers;
}

/**
 * Asks one node after the other until one has it; with X-Newest all of them, for the newest. At most as many
 * answers are looked at as there are replicas.
 */
export async function readFrom(core: ProxyCore, options: ReadOptions): Promise<ReadResponse> {
  const { kind, place, method } = options;
  const attempts = place.nodes.length;
  const newest = isTrue(options.headers.get('x-newest'));
  const headers = sentHeaders(options);
  const answers: BackendAnswer[] = [];
  let chosen: { node: RingDevice; response: InternalResponse; time: number } | null = null;
  const nodes = options.nodes[Symbol.iterator]();
  while (answers.length < attempts) {
    const next = nodes.next();
    if (next.done) break;
    const node = next.value;
    if (core.errors.limited(node)) continue;
    let response: InternalResponse;
    try {
      response = await core.client.request(node, {
        method,
        path: nodePath(node, place.partition, options.path, options.query),
        headers,
        connectTimeoutMs: core.options.connTimeout * 1000,
        timeoutMs: core.options.nodeTimeout * 1000,
      });
    } catch (error) {
      noteFailure(core, node, `${method} ${kind}`, error);
      continue;
    }
    core.errors.heard(node);
    if (response.status === 507) {
      response.body.cancel();
      core.errors.limit(node);
      continue;
    }
    if (response.status >= 200 && response.status < 400) {
      // A database that was made by replication or an update and never PUT is not there yet.
      if (Number(response.headers.get('x-put-timestamp') ?? 1) === 0) {
        response.body.cancel();
        answers.push({ status: 404, reason: '', headers: new Map(), body: Buffer.alloc(0) });
        continue;
      }
      if (!newest) {
        chosen = { node, response, time: 0 };
        break;
      }
      const time = Number(
        response.headers.get('x-put-timestamp') ?? response.headers.get('x-timestamp') ?? 0,
      );
      if (chosen === null || time > chosen.time) {
        chosen?.response.body.cancel();
        chosen = { node, response, time };
      } else response.body.cancel();
      answers.push({
        status: response.status,
        reason: response.reason,
        headers: response.headers,
        body: Buffer.alloc(0),
      });
      continue;
    }
    try {
      const body = await internalText(response);
      answers.push({ status: response.status, reason: response.reason, headers: response.headers, body });
    } catch (error) {
      noteFailure(core, node, `${method} ${kind}`, error);
      continue;
    }
    if (response.status >= 500) core.errors.count(node);
  }
  if (!chosen) return bestResponse(answers, `${kind} ${method}`, core);
  return relay(core, options, chosen.node, chosen.response, headers, nodes);
}

function relay(
  core: ProxyCore,
  options: ReadOptions,
  node: RingDevice,
  response: InternalResponse,
  sent: readonly [string, string][],
  others: Iterator<RingDevice>,
): ReadResponse {
  const headers: Headers = new Map();
  for (const [name, value] of response.headers) {
    if (!DROPPED.has(name)) headers.set(name, name === 'etag' ? value.replaceAll('"', '') : value);
  }
  headers.set('accept-ranges', 'bytes');
  const length = response.headers.get('content-length');
  if (length !== undefined) headers.set('content-length', length);
  const type = response.headers.get('content-type');
  if (type !== undefined) headers.set('content-type', type);
  const timestamp = response.headers.get('x-timestamp');
  const base = { status: response.status, headers, ...(timestamp === undefined ? {} : { timestamp }) };
  if (options.method === 'HEAD' || response.status === 304 || response.status === 204) {
    response.body.cancel();
    if (response.status === 204 && length === undefined) headers.set('content-length', '0');
    return { ...base, body: null };
  }
  if (response.whole) return { ...base, body: response.whole };
  const body =
    options.kind === 'object' && (response.status === 200 || response.status === 206)
      ? resuming(core, options, node, response, sent, others)
      : response.body;
  return { ...base, body };
}

/** A body that goes on from another replica when its node fails in the middle. */
function resuming(
  core: ProxyCore,
  options: ReadOptions,
  first: RingDevice,
  response: InternalResponse,
  sent: readonly [string, string][],
  others: Iterator<RingDevice>,
): BodyStream {
  const total = Number(response.headers.get('content-length') ?? Number.NaN);
  const etag = response.headers.get('etag');
  const range = /^bytes (\d+)-(\d+)\//.exec(response.headers.get('content-range') ?? '');
  const start = range ? Number(range[1]) : 0;
  let source: BodyStream = response.body;
  let node = first;
  let position = 0;
  let cancelled = false;
  const read = async (): Promise<Buffer | null> => {
    for (;;) {
      let problem: unknown;
      try {
        const chunk = await source.read();
        if (chunk !== null) {
          position += chunk.length;
          return chunk;
        }
        if (Number.isNaN(total) || position >= total || cancelled) return null;
        problem = new Error('body ended early');
      } catch (error) {
        problem = error;
      }
      if (cancelled) return null;
      noteFailure(core, node, 'reading a body', problem);
      if (Number.isNaN(total) || etag === undefined) throw problem;
      const replacement = await another();
      if (!replacement) throw problem;
      source = replacement;
    }
  };
  const another = async (): Promise<BodyStream | null> => {
    for (let next = others.next(); !next.done; next = others.next()) {
      node = next.value;
      try {
        const again = await core.client.request(node, {
          method: 'GET',
          path: nodePath(node, options.place.partition, options.path, options.query),
          headers: [
            ...sent.filter(([name]) => !/^(range|if-)/i.test(name)),
            ['Range', `bytes=${start + position}-${start + total - 1}`],
          ],
          connectTimeoutMs: core.options.connTimeout * 1000,
          timeoutMs: core.options.nodeTimeout * 1000,
        });
        // Only the very same object may continue what was begun.
        if (again.status === 206 && again.headers.get('etag') === etag) return again.body;
        again.body.cancel();
      } catch (error) {
        noteFailure(core, node, 'resuming a body', error);
      }
    }
    return null;
  };
  return {
    read,
    cancel: () => {
      cancelled = true;
      source.cancel();
    },
    free: chunk => source.free?.(chunk),
  };
}

/** Options for reading on behalf of a client's request. */
export const readingFor = (
  request: ProxyRequest,
  fields: Omit<ReadOptions, 'method' | 'headers' | 'transId'>,
): ReadOptions => ({
  method: request.method === 'HEAD' ? 'HEAD' : 'GET',
  headers: request.headers,
  transId: request.transId,
  ...fields,
});
