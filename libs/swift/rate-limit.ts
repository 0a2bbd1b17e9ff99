import type { Clock } from '@folsom/core';

/**
 * Lets `perSecond` units of work pass a second, evenly: resolves when the next `units` may start. Zero or less is
 * no limit. Time lost to slow work is made up for `burstMs` at most.
 */
export function rateLimit(
  perSecond: number,
  clock: Clock,
  burstMs = 5000,
): (units?: number, signal?: AbortSignal) => Promise<void> {
  let nextAt = clock.monotonic();
  return async (units = 1, signal) => {
    if (perSecond <= 0) return;
    const now = clock.monotonic();
    if (nextAt < now - burstMs) nextAt = now;
    const wait = nextAt - now;
    nextAt += (units * 1000) / perSecond;
    if (wait > 0) await clock.sleep(wait, signal);
  };
}
