import type { Clock } from '@folsom/core';
import { CONSOLE_WEB_LIMITS } from './limits.ts';

/** Counts logins that failed, by client: guessing a password here is no quicker than at keystone. */
export interface Failures {
  tooMany(client: string): boolean;
  note(client: string): void;
  forget(client: string): void;
}

export function failures(clock: Clock): Failures {
  const { failuresMax, failuresWithinMs, failingClientsMax } = CONSOLE_WEB_LIMITS;
  const seen = new Map<string, number[]>();
  const recent = (client: string) =>
    (seen.get(client) ?? []).filter(at => clock.monotonic() - at < failuresWithinMs);
  return {
    tooMany: client => recent(client).length >= failuresMax,
    note: client => {
      const times = [...recent(client), clock.monotonic()].slice(-failuresMax);
      seen.delete(client);
      if (seen.size >= failingClientsMax) seen.delete(seen.keys().next().value!);
      seen.set(client, times);
    },
    forget: client => seen.delete(client),
  };
}
