import { must } from '@folsom/core';
import type { RingDevice } from '@folsom/ring';
import { EACH_METHODS } from '@folsom/swift';
import {
  answer,
  type BodyStream,
  internalText,
  type OpenRequest,
  quotePath,
  type ServerResponse,
} from '@folsom/swift-http';
import { type BackendAnswer, nodePath, noteEach, noteFailure, UNAVAILABLE } from './backend-write.ts';
import { LIMIT } from './constraints.ts';
import {
  changeObject,
  eachAnswers,
  eachCall,
  firstOf,
  groupsOf,
  noteGroup,
  type Target,
  targetsOf,
} from './each-replica.ts';
import { type Place, type ProxyCore, serverOf, usableNodes } from './nodes.ts';
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
  return changeObject(core, place, 'PUT', path, headers, bytes);
}

/** How often a node that gets on, but not with this upload, is asked for it. */
const SLOW_TRIES = 3;

/** A stream to one node, or to one server for many of its devices. */
interface Upload {
  nodes: readonly RingDevice[];
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
  const uploads = await connectAll(core, place, quotePath(path), headers, length);
  const enough = (): boolean =>
    sum(uploads.filter(({ failed }) => !failed).map(({ nodes }) => nodes.length)) * 2 > place.nodes.length;
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
        uploads.map(async upload => {
          if (upload.failed) return;
          try {
            await upload.open.write(bytes);
            core.errors.heard(firstNode(upload));
          } catch (error) {
            upload.failed = true;
            for (const node of upload.nodes) noteFailure(core, node, 'sending an upload', error);
          }
        }),
      );
      if (!enough()) {
        abort();
        return answer(503, request);
      }
      // A connection that broke may hold on to it.
      if (uploads.every(({ open, failed }) => !failed && !open.keeps(bytes))) body.free?.(bytes);
    }
  } catch (error) {
    abort();
    throw error;
  }
  if (length !== null && sent < length) {
    abort();
    return answer(499, request);
  }
  const ends = await Promise.all(
    uploads.filter(({ failed }) => !failed).map(upload => finishUpload(core, upload)),
  );
  const given = ends.flat();
  while (given.length < place.nodes.length) given.push(UNAVAILABLE);
  return given;
}

const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0);

const firstNode = ({ nodes }: Upload): RingDevice => must(nodes[0], 'an upload goes somewhere');

/** Opens streams to the nodes of an upload, one for those behind a server that takes it once for all of them. */
async function connectAll(
  core: ProxyCore,
  place: Place,
  path: string,
  headers: readonly Map<string, string>[],
  length: number | null,
): Promise<Upload[]> {
  const others = usableNodes(core, 'object', place);
  const framing: [string, string] =
    length === null ? ['Transfer-Encoding', 'chunked'] : ['Content-Length', String(length)];
  const open = (node: RingDevice, call: { method: string; path: string; headers: Map<string, string> }) =>
    core.client.open(node, {
      ...call,
      headers: [...call.headers, framing],
      connectTimeoutMs: core.options.connTimeout * 1000,
      timeoutMs: core.options.nodeTimeout * 1000,
    });
  const alone = async (target: Target): Promise<Upload | null> => {
    let slow = 0;
    const next = (): RingDevice | undefined => others.next().value ?? undefined;
    for (let node = target.node; node; ) {
      try {
        const opened = await open(node, {
          method: 'PUT',
          path: nodePath(node, place.partition, path),
          headers: target.headers,
        });
        core.errors.heard(node);
        if (!opened.early) return { nodes: [node], open: opened, failed: false };
        if (opened.early.status === 507) core.errors.limit(node);
        opened.abort();
      } catch (error) {
        // Nothing was sent yet: a node that is busy is asked again before another stands in for it.
        slow = noteFailure(core, node, 'PUT object', error) ? slow + 1 : 0;
        if (slow > 0 && slow < SLOW_TRIES) continue;
      }
      slow = 0;
      node = next();
    }
    return null;
  };
  const together = async (group: readonly Target[]): Promise<(Upload | null)[]> => {
    const node = firstOf(group);
    try {
      const opened = await open(node, {
        method: EACH_METHODS.PUT,
        ...eachCall(group, place.partition, path),
      });
      core.errors.heard(node);
      if (!opened.early)
        return [{ nodes: group.flatMap(one => one.node ?? []), open: opened, failed: false }];
      noteGroup(core, node, opened.early.status);
      opened.abort();
    } catch (error) {
      core.log.warn('an upload for many devices of a server goes to each by itself', {
        node: serverOf(node),
        error,
      });
    }
    return Promise.all(group.map(alone));
  };
  const groups = groupsOf(core, targetsOf(others, headers));
  const connected = await Promise.all(
    groups.map(group => (group.length > 1 ? together(group) : Promise.all(group.map(alone)))),
  );
  return connected.flat().filter(upload => upload !== null);
}

/** Ends an upload; the answers of its nodes, as far as they are to be had. */
async function finishUpload(core: ProxyCore, { nodes, open }: Upload): Promise<BackendAnswer[]> {
  const failed = (error: unknown): BackendAnswer[] => {
    for (const node of nodes) noteFailure(core, node, 'ending an upload', error);
    return [];
  };
  try {
    // The node syncs what it got to its disk before it answers.
    const response = await open.finish(Math.max(60, core.options.nodeTimeout) * 1000);
    const text = await internalText(response);
    const { status, reason, headers } = response;
    const [only, ...more] = nodes;
    if (only && more.length === 0) {
      if (status >= 500) core.errors.count(only);
      noteEach(core, only, headers);
      return [{ status, reason, headers, body: text }];
    }
    const answers = eachAnswers(status, text, nodes.length);
    if (!answers) return failed(new Error(`${status} where an answer for each device was expected`));
    nodes.forEach((node, i) => {
      if ((answers[i]?.status ?? 500) >= 500) core.errors.count(node);
    });
    return answers;
  } catch (error) {
    return failed(error);
  }
}
