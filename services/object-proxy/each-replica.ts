import { must } from '@folsom/core';
import type { RingDevice } from '@folsom/ring';
import { EACH_BY_ITSELF, EACH_METHODS, type EachAnswer, type EachMethod, joinEach } from '@folsom/swift';
import { internalText, quotePath } from '@folsom/swift-http';
import {
  type BackendAnswer,
  noteFailure,
  noteRefusal,
  requestOne,
  UNAVAILABLE,
  type WriteRequest,
} from './backend-write.ts';
import { type Place, type ProxyCore, serverOf, usableNodes } from './nodes.ts';

/** A replica that is to be written: the node that comes first, and the headers for it. */
export interface Target {
  /** Undefined if there is no node any more. */
  node: RingDevice | undefined;
  headers: Map<string, string>;
}

/** Replicas, each with the next node of those that can be used. */
export const targetsOf = (
  nodes: Iterator<RingDevice, void>,
  headers: readonly Map<string, string>[],
): Target[] =>
  headers.map(own => {
    const { value, done } = nodes.next();
    return { node: done ? undefined : value, headers: own };
  });

/** The targets that go in one request: those behind one server, if it takes many. */
export function groupsOf(core: ProxyCore, targets: readonly Target[]): Target[][] {
  const groups = new Map<string, Target[]>();
  const out: Target[][] = [];
  for (const target of targets) {
    const server = target.node && serverOf(target.node);
    const group = server === undefined ? undefined : groups.get(server);
    if (group) {
      group.push(target);
      continue;
    }
    const fresh = [target];
    out.push(fresh);
    if (server !== undefined && core.each.has(server)) groups.set(server, fresh);
  }
  return out;
}

/** The path and the headers of the request for a group. */
export const eachCall = (
  group: readonly Target[],
  partition: number,
  path: string,
): { path: string; headers: Map<string, string> } => ({
  path: `/${partition}${path}`,
  headers: joinEach(
    group.map(({ node }) => must(node, 'a group is of nodes').device),
    group.map(({ headers }) => headers),
  ),
});

/** The answers for a group of so many; null if it is no such answer. */
export function eachAnswers(status: number, text: Buffer, count: number): BackendAnswer[] | null {
  if (status !== 200) return null;
  let read: unknown;
  try {
    read = JSON.parse(text.toString('utf8'));
  } catch {
    return null;
  }
  if (!Array.isArray(read) || read.length !== count || !read.every(isEachAnswer)) return null;
  return read.map(([own, etag, body]) => ({
    status: own,
    reason: '',
    headers: new Map(etag === '' ? [] : [['etag', etag]]),
    body: Buffer.from(body, 'latin1'),
  }));
}

const isEachAnswer = (item: unknown): item is EachAnswer =>
  Array.isArray(item) &&
  item.length === 3 &&
  typeof item[0] === 'number' &&
  typeof item[1] === 'string' &&
  typeof item[2] === 'string';

/**
 * Changes an object on every replica, going on to handoffs for nodes that fail: one answer for each of `headers`, 503
 * where none was to be had. What goes to several devices of one server goes there once.
 */
export async function changeObject(
  core: ProxyCore,
  place: Place,
  method: EachMethod,
  path: string,
  headers: readonly Map<string, string>[],
  body?: Buffer,
): Promise<BackendAnswer[]> {
  const nodes = usableNodes(core, 'object', place);
  const request: WriteRequest = {
    ...{ method, partition: place.partition, path: quotePath(path) },
    ...(body ? { body } : {}),
  };
  const alone = ({ node, headers: own }: Target) => requestOne(core, request, own, nodes, node);
  const together = async (group: readonly Target[]): Promise<BackendAnswer[]> => {
    const answers = await askGroup(core, request, method, group);
    return Promise.all(
      group.map(async (target, i): Promise<BackendAnswer> => {
        const given = answers === 'failed' ? null : answers[i];
        if (given === undefined || given?.status === EACH_BY_ITSELF) return alone(target);
        if (given && given.status < 500) return given;
        if (given) noteRefusal(core, must(target.node, 'a group is of nodes'), method, given.status);
        return requestOne(core, request, target.headers, nodes);
      }),
    );
  };
  const groups = groupsOf(core, targetsOf(nodes, headers));
  const answers = (
    await Promise.all(
      groups.map(group =>
        group.length > 1 ? together(group) : Promise.all(group.map(target => alone(target))),
      ),
    )
  ).flat();
  while (answers.length < place.nodes.length) answers.push(UNAVAILABLE);
  return answers;
}

/** What the server said of each, nothing if it does not take them together, or not now. */
async function askGroup(
  core: ProxyCore,
  { partition, path, body }: WriteRequest,
  method: EachMethod,
  group: readonly Target[],
): Promise<readonly BackendAnswer[] | 'failed'> {
  const node = firstOf(group);
  try {
    const response = await core.client.request(node, {
      method: EACH_METHODS[method],
      ...eachCall(group, partition, path),
      ...(body ? { body } : {}),
      connectTimeoutMs: core.options.connTimeout * 1000,
      timeoutMs: core.options.nodeTimeout * 1000,
    });
    const text = await internalText(response);
    core.errors.heard(node);
    noteGroup(core, node, response.status);
    return eachAnswers(response.status, text, group.length) ?? [];
  } catch (error) {
    noteGroupFailure(core, group, EACH_METHODS[method], error);
    return 'failed';
  }
}

export const firstOf = (group: readonly Target[]): RingDevice => must(group[0]?.node, 'a group is of nodes');

/** A server that knows nothing of groups is told one by one from now on: an original stands there. */
export function noteGroup(core: ProxyCore, node: RingDevice, status: number): void {
  if (status === 405) core.each.delete(serverOf(node));
}

/** Notes that a request for a group failed: none of its nodes answered. */
function noteGroupFailure(core: ProxyCore, group: readonly Target[], what: string, error: unknown): void {
  for (const { node } of group) if (node) noteFailure(core, node, what, error);
}
