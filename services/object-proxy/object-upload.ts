import { must } from '@folsom/core';
import type { RingDevice } from '@folsom/ring';
import {
  answer,
  type BodyStream,
  internalText,
  type OpenRequest,
  quotePath,
  type ServerResponse,
} from '@folsom/swift-http';
import { type BackendAnswer, nodePath, noteFailure, requestAll, UNAVAILABLE } from './backend-write.ts';
import { LIMIT } from './constraints.ts';
import { type Place, type ProxyCore, usableNodes } from './nodes.ts';
import type { ProxyRequest } from './request.ts';

/** Bodies up to this size are read before a storage node is asked: one exchange with each instead of two. */
export const SMALL_BODY = 64 * 1024;

/** A body that is here in full goes to all nodes at once; nodes that fail are replaced by handoffs. */
export async function putSmall(
  core: ProxyCore,
  request: ProxyRequest,
  place: Place,
  path: string,
  headers: readonly Map<string, string>[],
  body: BodyStream,
  length: number,
): Promise<BackendAnswer[] | ServerResponse> {
  const parts: Buffer[] = [];
  let size = 0;
  for (let chunk = await body.read(); chunk !== null; chunk = await body.read()) {
    parts.push(chunk);
    size += chunk.length;
  }
  if (size !== length) return answer(499, request);
  const bytes = parts.length === 1 ? must(parts[0], 'parts is not empty') : Buffer.concat(parts, size);
  return requestAll(core, 'object', place, 'PUT', path, headers, bytes);
}

/** How often a node that gets on, but not with this upload, is asked for it. */
const SLOW_TRIES = 3;

interface Upload {
  node: RingDevice;
  open: OpenRequest;
  failed: boolean;
}

/** Streams a body to all nodes, as long as more than half of them go along. */
export async function putLarge(
  core: ProxyCore,
  request: ProxyRequest,
  place: Place,
  path: string,
  headers: readonly Map<string, string>[],
  body: BodyStream,
  length: number | null,
): Promise<BackendAnswer[] | ServerResponse> {
  const nodes = usableNodes(core, 'object', place);
  const quoted = quotePath(path);
  const framing: [string, string] =
    length === null ? ['Transfer-Encoding', 'chunked'] : ['Content-Length', String(length)];
  const connect = async (own: Map<string, string>): Promise<Upload | null> => {
    let slow = 0;
    for (let next = nodes.next(); !next.done; ) {
      const node = next.value;
      try {
        const open = await core.client.open(node, {
          method: 'PUT',
          path: nodePath(node, place.partition, quoted),
          headers: [...own, framing],
          connectTimeoutMs: core.options.connTimeout * 1000,
          timeoutMs: core.options.nodeTimeout * 1000,
        });
        core.errors.heard(node);
        if (!open.early) return { node, open, failed: false };
        if (open.early.status === 507) core.errors.limit(node);
        open.abort();
      } catch (error) {
        // Nothing was sent yet: a node that is busy is asked again before another stands in for it.
        slow = noteFailure(core, node, 'PUT object', error) ? slow + 1 : 0;
        if (slow > 0 && slow < SLOW_TRIES) continue;
      }
      slow = 0;
      next = nodes.next();
    }
    return null;
  };
  const uploads = (await Promise.all(headers.map(connect))).filter(upload => upload !== null);
  const enough = (): boolean => uploads.filter(({ failed }) => !failed).length * 2 > place.nodes.length;
  const abort = (): void => {
    for (const { open } of uploads) open.abort();
  };
  if (!enough()) {
    abort();
    core.log.error('too few storage nodes take an upload', {
      path,
      connections: uploads.length,
      nodes: place.nodes.length,
    });
    return answer(503, request);
  }
  const alive = uploads;
  let sent = 0;
  try {
    for (let chunk = await body.read(); chunk !== null; chunk = await body.read()) {
      sent += chunk.length;
      if (sent > LIMIT.fileSize) {
        abort();
        return answer(413, request);
      }
      const bytes = chunk;
      await Promise.all(
        alive.map(async upload => {
          if (upload.failed) return;
          try {
            await upload.open.write(bytes);
            core.errors.heard(upload.node);
          } catch (error) {
            upload.failed = true;
            noteFailure(core, upload.node, 'sending an upload', error);
          }
        }),
      );
      if (!enough()) {
        abort();
        return answer(503, request);
      }
      // A connection that broke may hold on to it.
      if (alive.every(({ open, failed }) => open.copies && !failed)) body.free?.(bytes);
    }
  } catch (error) {
    abort();
    throw error;
  }
  if (length !== null && sent < length) {
    abort();
    return answer(499, request);
  }
  const answers = await Promise.all(
    alive
      .filter(({ failed }) => !failed)
      .map(async ({ node, open }): Promise<BackendAnswer | null> => {
        try {
          // The node syncs what it got to its disk before it answers.
          const response = await open.finish(Math.max(60, core.options.nodeTimeout) * 1000);
          const text = await internalText(response);
          if (response.status >= 500) core.errors.count(node);
          return { status: response.status, reason: response.reason, headers: response.headers, body: text };
        } catch (error) {
          noteFailure(core, node, 'ending an upload', error);
          return null;
        }
      }),
  );
  const given = answers.filter(one => one !== null);
  while (given.length < place.nodes.length) given.push(UNAVAILABLE);
  return given;
}
