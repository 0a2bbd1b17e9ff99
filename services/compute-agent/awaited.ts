import type { Clock } from '@folsom/core';

/** Instances whose message was given back and comes again: meanwhile no audit takes them for abandoned. */
export interface AwaitedMessages {
  add(uuid: string): void;
  delete(uuid: string): void;
  has(uuid: string): boolean;
}

/**
 * Longer than the longest pause before a message comes again, with as long as a broker may be away until it can be given
 * back. One that has not come by then is lost: a broker that dies forgets what it has, where its queues do not last.
 */
const AWAITED_MS = 180_000;

export function awaitedMessages(clock: Pick<Clock, 'monotonic'>): AwaitedMessages {
  const until = new Map<string, number>();
  return {
    add: uuid => void until.set(uuid, clock.monotonic() + AWAITED_MS),
    delete: uuid => void until.delete(uuid),
    has: uuid => {
      const end = until.get(uuid);
      if (end === undefined) return false;
      if (clock.monotonic() < end) return true;
      until.delete(uuid);
      return false;
    },
  };
}
