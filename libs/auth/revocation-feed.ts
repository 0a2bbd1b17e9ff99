import type { Logger, Timer, World } from '@folsom/core';
import type { Bus } from '@folsom/rpc';
import type { KeystoneClient } from './keystone-client.ts';
import { type Revocation, type RevocationList, readRevocations } from './revocations.ts';

/** Topic and method by which the identity service tells everybody on the bus what it revoked. */
export const REVOCATION_TOPIC = 'identity';
export const REVOCATION_METHOD = 'tokens_revoked';

export interface RevocationListener {
  stop(): Promise<void>;
}

/** Hears what is told over the bus, as soon as the broker is there: nobody waits for it, for asking works without. */
export function listenToRevocations(options: {
  bus: Bus | null;
  host: string;
  log: Logger;
  take: (revocations: Revocation[]) => void;
}): RevocationListener {
  const { bus, host, log, take } = options;
  let served: { stop(): Promise<void> } | undefined;
  let stopped = false;
  const serving = bus?.serve({
    topic: REVOCATION_TOPIC,
    host,
    handlers: {
      [REVOCATION_METHOD]: (_context, args) =>
        take(readRevocations((args as { revocations?: unknown }).revocations)),
    },
  });
  serving?.then(
    async started => {
      if (stopped) await started.stop();
      else served = started;
    },
    error => {
      if (!stopped) log.warn('revocations are not heard over the bus', { error });
    },
  );
  return {
    stop: async () => {
      stopped = true;
      await served?.stop();
    },
  };
}

/**
 * Asked again this soon after an answer. An identity service that waits for news answers at once when there is some, and otherwise after
 * seconds: then nothing is lost by asking again at once. One that does not wait is asked this often, so that a service without the bus
 * knows within a second.
 */
const POLL_MS = 600;
/** Without news for this long, nobody can say what has been revoked. */
const STALE_AFTER_MS = 10_000;
/** An identity service that has no list (the original's) is asked again this rarely. */
const UNSUPPORTED_RETRY_MS = 60_000;

export interface RevocationFeed {
  /** Whether the list is up to date. */
  followed(): boolean;
  stop(): Promise<void>;
}

/** Keeps a list up to date: told over the bus where there is one, and by a question that waits for news in any case. */
export async function revocationFeed(options: {
  client: Pick<KeystoneClient, 'revocations'>;
  list: RevocationList;
  bus: Bus | null;
  host: string;
  world: World;
}): Promise<RevocationFeed> {
  const { client, list, bus, world } = options;
  const { clock, log } = world;
  let heardAt = Number.NEGATIVE_INFINITY;
  let nextAt = 0;
  let asking = false;
  let complained = false;
  let state: string | undefined;
  const stopped = new AbortController();

  const ask = async () => {
    if (asking || stopped.signal.aborted || clock.monotonic() < nextAt) return;
    asking = true;
    const askedAt = clock.monotonic();
    let waited = false;
    try {
      const question = { since: list.latest, signal: stopped.signal };
      const news = await client.revocations(state === undefined ? question : { ...question, state });
      if (news === null) {
        nextAt = clock.monotonic() + UNSUPPORTED_RETRY_MS;
        return;
      }
      waited = state !== undefined && clock.monotonic() - askedAt > POLL_MS;
      state = news.state;
      list.add(news.list);
      heardAt = clock.monotonic();
      complained = false;
    } catch (error) {
      if (stopped.signal.aborted) return;
      if (!complained) log.warn('revocations cannot be fetched; tokens are checked online', { error });
      complained = true;
    } finally {
      asking = false;
    }
    if (waited) void ask();
  };

  const listener = listenToRevocations({ bus, host: options.host, log, take: list.add });
  await ask();
  const timer: Timer = clock.every(POLL_MS, () => void ask());
  return {
    followed: () => clock.monotonic() - heardAt < STALE_AFTER_MS,
    stop: async () => {
      timer.cancel();
      stopped.abort();
      await listener.stop();
    },
  };
}
