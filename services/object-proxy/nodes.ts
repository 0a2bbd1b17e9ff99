import type { Logger, World } from '@folsom/core';
import { must } from '@folsom/core';
import type { Ring, RingDevice } from '@folsom/ring';
import type { PathHash } from '@folsom/swift';
import type { InternalClient } from '@folsom/swift-http';
import type { ProxyOptions } from './options.ts';

export type ServerKind = 'account' | 'container' | 'object';

/** What every handler of the proxy needs. */
export interface ProxyCore {
  world: World;
  log: Logger;
  options: ProxyOptions;
  rings: Record<ServerKind, Ring>;
  pathHash: PathHash;
  client: InternalClient;
  errors: NodeErrors;
  /** Servers (see {@link serverOf}) that take a change for many of their devices in one request. */
  each: Set<string>;
  /** The time of a write, later than all given before. */
  stamp: () => string;
  /** Guesses a content type from a name; null if unknown. */
  guessType: (name: string) => string | null;
  /** Is told of an answer that its operation does not declare. */
  undeclared?: (operation: string, status: number) => void;
}

export interface Place {
  partition: number;
  nodes: readonly RingDevice[];
}

/** Where the replicas of an account, container or object live. */
export function placeOf(
  core: ProxyCore,
  kind: ServerKind,
  account: string,
  container?: string,
  object?: string,
): Place {
  const ring = core.rings[kind];
  const partition = ring.partition(core.pathHash.prefix(account, container, object));
  return { partition, nodes: ring.nodes(partition) };
}

/** The server that a device is behind. */
export const serverOf = (node: RingDevice): string => `${node.ip}:${node.port}`;

/** Remembers which storage nodes failed, so that they are left alone for a while. */
export interface NodeErrors {
  limited(node: RingDevice): boolean;
  /** One more error. */
  count(node: RingDevice): void;
  /** Leaves a node alone from now on. */
  limit(node: RingDevice): void;
  /** The node's server answered something, or took bytes of an upload. */
  heard(node: RingDevice): void;
  /** Whether the node's server was heard of within the time that an answer may take: it is slow, then, and not dead. */
  progresses(node: RingDevice): boolean;
}

export function nodeErrors(options: ProxyOptions, { clock }: Pick<World, 'clock'>): NodeErrors {
  const known = new Map<string, { errors: number; last: number }>();
  const keyOf = (node: RingDevice): string => `${node.ip}:${node.port}/${node.device}`;
  const heard = new Map<string, number>();
  const pause = options.errorSuppressionInterval * 1000;
  return {
    limited: node => {
      if (known.size === 0) return false;
      const key = keyOf(node);
      const entry = known.get(key);
      if (!entry) return false;
      if (entry.last < clock.monotonic() - pause) {
        known.delete(key);
        return false;
      }
      return entry.errors > options.errorSuppressionLimit;
    },
    count: node => {
      const key = keyOf(node);
      known.set(key, { errors: (known.get(key)?.errors ?? 0) + 1, last: clock.monotonic() });
    },
    limit: node => {
      known.set(keyOf(node), { errors: options.errorSuppressionLimit + 1, last: clock.monotonic() });
    },
    heard: node => {
      heard.set(serverOf(node), clock.monotonic());
    },
    progresses: node => {
      const last = heard.get(serverOf(node));
      return last !== undefined && clock.monotonic() - last <= options.nodeTimeout * 1000;
    },
  };
}

/** The nodes to try: those given first, then handoffs, without the ones that fail all the time. */
export function* usableNodes(core: ProxyCore, kind: ServerKind, place: Place): Generator<RingDevice, void> {
  for (const node of place.nodes) if (!core.errors.limited(node)) yield node;
  let handoffs = 0;
  for (const node of core.rings[kind].handoffs(place.partition)) {
    if (core.errors.limited(node)) continue;
    handoffs++;
    if (core.options.logHandoffs) core.log.warn('handoff requested', { count: handoffs });
    yield node;
  }
}

/** The same nodes in random order, so that readers spread over the replicas. */
export function shuffled<T>(items: readonly T[], { random }: Pick<World, 'random'>): T[] {
  const out = [...items];
  for (let i = out.length - 1; i > 0; i--) {
    const other = random.int(i + 1);
    [out[i], out[other]] = [must(out[other], 'other is in out'), must(out[i], 'i is in out')];
  }
  return out;
}
