import type { Clock } from '@folsom/core';
import { LRUCache } from 'lru-cache';
import { CONSOLE_WEB_LIMITS } from './limits.ts';

/** Counts logins that failed, by client: guessing a password here is no quicker than at keystone. */
export interface Failures {
  /**
   * Begins a login, which counts as failed until it is told otherwise: many at once are no way around the count, and neither
   * is a login of one's own between two guesses. Null when there were too many; else to be called when it is known.
   */
  begin(client: string): ((failed: boolean) => void) | null;
}

export function failures(clock: Clock): Failures {
  const { failuresMax, failuresWithinMs, failingClientsMax } = CONSOLE_WEB_LIMITS;
  const seen = new LRUCache<string, { at: number }[]>({ max: failingClientsMax });
  return {
    begin: client => {
      const now = clock.monotonic();
      const recent = (seen.get(client) ?? []).filter(({ at }) => now - at < failuresWithinMs);
      if (recent.length >= failuresMax) return null;
      const own = { at: now };
      seen.set(client, [...recent, own]);
      return failed => {
        if (failed) return;
        const left = (seen.get(client) ?? []).filter(attempt => attempt !== own);
        if (left.length > 0) seen.set(client, left);
        else seen.delete(client);
      };
    },
  };
}
