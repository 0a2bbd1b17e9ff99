import type { Timer, World } from '@folsom/core';
import type { Database } from '@folsom/db';
import { IDENTITY_LIMITS } from '../limits.ts';
import { adoptPage, claimAdoption, LostClaim } from '../repositories/token-adoption.ts';

export interface Adoption {
  /** Ends it after the page under way; another start goes on from there. */
  stop(): Promise<void>;
}

/** How long a process that walks may be silent before another takes over. */
const HELD_MS = 30_000;
const AGAIN_MS = 2_000;

/**
 * Takes over the tokens that another keystone wrote to this database, in the background: until it is done, revocations end
 * them by their time of issue. Of several processes one does it; a database that fails is asked again.
 */
export function adoptStoredTokens({ db, world }: { db: Database; world: World }): Adoption {
  const { clock, log, random } = world;
  const holder = random.uuid();
  const begun = clock.now();
  let stopping = false;
  let wake = () => {};
  let timer: Timer | undefined;
  const pause = () =>
    new Promise<void>(resolve => {
      wake = resolve;
      if (stopping) return resolve();
      timer = clock.after(AGAIN_MS, resolve);
    });

  /** Whether there is nothing left to do. */
  const walk = async (): Promise<boolean> => {
    let total = 0;
    while (!stopping) {
      const now = clock.now();
      const claim = { holder, until: now + HELD_MS };
      const claimed = await claimAdoption(db, claim, now);
      // Another process has finished since this one began.
      if (claimed !== 'mine') return claimed.finishedAt !== null && claimed.finishedAt >= begun;
      const page = await adoptPage(db, claim, now, IDENTITY_LIMITS.flushRowsMax);
      if (page === null) return false;
      total += page.count;
      if (!page.done) continue;
      if (total > 0) log.info('tokens of another keystone taken over', { count: total });
      return true;
    }
    return true;
  };

  const all = (async () => {
    let told = false;
    while (!stopping) {
      try {
        if (await walk()) return;
      } catch (error) {
        if (!told && !(error instanceof LostClaim)) {
          told = true;
          log.warn('tokens cannot be taken over at the moment; it is tried again', { error });
        }
      }
      await pause();
    }
  })();
  return {
    stop: async () => {
      stopping = true;
      timer?.cancel();
      wake();
      await all;
    },
  };
}
