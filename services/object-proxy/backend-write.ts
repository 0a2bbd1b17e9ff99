import type { RingDevice } from '@folsom/ring';
import { EACH_HEADER } from '@folsom/swift';
import {
  type Headers,
  InternalTimeout,
  internalText,
  lowerName,
  quotePath,
  type ServerResponse,
} from '@folsom/swift-http';
import { type Place, type ProxyCore, type ServerKind, serverOf, usableNodes } from './nodes.ts';

export interface BackendAnswer {
  status: number;
  reason: string;
  headers: Headers;
  body: Buffer;
}

const NONE: Headers = new Map();
export const UNAVAILABLE: BackendAnswer = { status: 503, reason: '', headers: NONE, body: Buffer.alloc(0) };

/** Headers of a client that concern only its own connection, or that storage nodes have no business to know. */
const KEPT_BACK = new Set([
  'host',
  'connection',
  'keep-alive',
  'proxy-authorization',
  'te',
  'trailer',
  'upgrade',
  'expect',
  'content-length',
  'transfer-encoding',
  'x-auth-token',
  'x-storage-token',
  'authorization',
  'cookie',
]);

/** The client's headers as they go on to a storage node, with `extra` over them. */
export function forwardHeaders(
  headers: Headers,
  extra: Iterable<readonly [string, string]>,
): Map<string, string> {
  const out = new Map<string, string>();
  for (const [name, value] of headers) if (!KEPT_BACK.has(name)) out.set(name, value);
  for (const [name, value] of extra) out.set(lowerName(name), value);
  return out;
}

/** The path of a name on a storage node. */
export const nodePath = (node: RingDevice, partition: number, path: string, query = ''): string =>
  `/${quotePath(node.device)}/${partition}${path}${query ? `?${query}` : ''}`;

/** What is asked of every replica. */
export interface WriteRequest {
  method: string;
  partition: number;
  /** Quoted. */
  path: string;
  body?: Buffer;
}

/** Sends a request to `first`, if there is one, and on to `others` while they fail; 503 where none was to be had. */
export async function requestOne(
  core: ProxyCore,
  { method, partition, path, body }: WriteRequest,
  headers: Iterable<readonly [string, string]>,
  others: Iterator<RingDevice, void>,
  first?: RingDevice,
): Promise<BackendAnswer> {
  const next = (): RingDevice | undefined => {
    const { value, done } = others.next();
    return done ? undefined : value;
  };
  for (let node = first ?? next(); node; node = next()) {
    try {
      const response = await core.client.request(node, {
        method,
        path: nodePath(node, partition, path),
        headers,
        ...(body ? { body } : {}),
        connectTimeoutMs: core.options.connTimeout * 1000,
        timeoutMs: core.options.nodeTimeout * 1000,
      });
      const text = await internalText(response);
      core.errors.heard(node);
      noteEach(core, node, response.headers);
      const { status, reason } = response;
      if (status < 500) return { status, reason, headers: response.headers, body: text };
      noteRefusal(core, node, method, status);
    } catch (error) {
      noteFailure(core, node, method, error);
    }
  }
  return UNAVAILABLE;
}

/**
 * Sends a request to every replica, going on to handoffs for nodes that fail; one answer for each of `headers`,
 * 503 where none was to be had.
 */
export async function requestAll(
  core: ProxyCore,
  kind: ServerKind,
  place: Place,
  method: string,
  path: string,
  headers: readonly Iterable<readonly [string, string]>[],
): Promise<BackendAnswer[]> {
  const nodes = usableNodes(core, kind, place);
  const request: WriteRequest = { method, partition: place.partition, path: quotePath(path) };
  const answers = await Promise.all(headers.map(own => requestOne(core, request, own, nodes)));
  while (answers.length < place.nodes.length) answers.push(UNAVAILABLE);
  return answers;
}

/** Notes that a node answered with an error of its own. */
export function noteRefusal(core: ProxyCore, node: RingDevice, method: string, status: number): void {
  if (status === 507) core.errors.limit(node);
  else core.errors.count(node);
  core.log.error('storage node answered an error', {
    node: `${node.ip}:${node.port}/${node.device}`,
    method,
    status,
  });
}

/** Notes whether a node's server takes changes for many of its devices at once. */
export function noteEach(core: ProxyCore, node: RingDevice, headers: Headers): void {
  if (headers.has(EACH_HEADER)) core.each.add(serverOf(node));
}

/**
 * Notes that a request to a node failed. A server that lets one request wait while it gets on with others is busy, not
 * broken: leaving it alone would take from all clients what one has to wait for.
 * @returns whether it is only slow
 */
export function noteFailure(core: ProxyCore, node: RingDevice, what: string, error: unknown): boolean {
  const facts = { node: `${node.ip}:${node.port}/${node.device}`, what, error };
  if (error instanceof InternalTimeout && core.errors.progresses(node)) {
    core.log.warn('storage node is slow', facts);
    return true;
  }
  core.errors.count(node);
  core.log.error('storage node failed', facts);
  return false;
}

/**
 * The answer a client gets for several answers of nodes: that of the first class (2xx, 3xx, 4xx) which more than
 * half of them gave, else 503.
 */
export function bestResponse(
  answers: readonly BackendAnswer[],
  what: string,
  core: ProxyCore,
  etag?: string,
): ServerResponse {
  for (const hundred of [200, 300, 400]) {
    const inClass = answers.filter(({ status }) => status >= hundred && status < hundred + 100);
    if (inClass.length * 2 > answers.length) {
      const best = inClass.reduce((max, answer) => (answer.status > max.status ? answer : max));
      const headers: Headers = new Map([
        ['content-type', 'text/html; charset=UTF-8'],
        ['content-length', String(best.body.length)],
      ]);
      if (etag !== undefined) headers.set('etag', etag.replace(/^"|"$/g, ''));
      return {
        status: best.status,
        ...(best.reason ? { reason: best.reason } : {}),
        headers,
        body: best.body,
      };
    }
  }
  core.log.error('no majority among the storage nodes', {
    what,
    statuses: answers.map(({ status }) => status),
  });
  return {
    status: 503,
    reason: 'Internal Server Error',
    headers: new Map([
      ['content-type', 'text/html; charset=UTF-8'],
      ['content-length', '0'],
    ]),
    body: null,
  };
}
