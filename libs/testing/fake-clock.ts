import { type Clock, theLoop } from '@folsom/core';

/** Time that stands still until a test moves it. */
export interface FakeClock extends Clock {
  /** Moves time on, running every timer on its way in order; lets promises settle in between. */
  advance(ms: number): Promise<void>;
  /** Timers and sleepers not yet due. */
  readonly waiting: number;
}

interface Entry {
  due: number;
  order: number;
  fire: () => void;
  repeatMs: number | undefined;
}

/**
 * A clock for tests; starts at `start` (default: 2012-09-27T10:00:00Z, Folsom's release).
 * @param settle resolves when what the last timer began has come to rest; default: after a few turns of the loop.
 */
export function fakeClock(
  start = Date.UTC(2012, 8, 27, 10),
  settle: () => Promise<void> = fewTurns,
): FakeClock {
  let elapsed = 0;
  let order = 0;
  const entries = new Set<Entry>();
  const add = (ms: number, fire: () => void, repeatMs?: number): Entry => {
    const entry = { due: elapsed + Math.max(0, ms), order: order++, fire, repeatMs };
    entries.add(entry);
    return entry;
  };
  const next = (limit: number): Entry | undefined => {
    let first: Entry | undefined;
    for (const entry of entries) {
      if (entry.due > limit) continue;
      if (
        first === undefined ||
        entry.due < first.due ||
        (entry.due === first.due && entry.order < first.order)
      ) {
        first = entry;
      }
    }
    return first;
  };
  return {
    now: () => start + elapsed,
    monotonic: () => elapsed,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason);
        const onAbort = () => {
          entries.delete(entry);
          reject(signal?.reason);
        };
        const entry = add(ms, () => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        });
        signal?.addEventListener('abort', onAbort, { once: true });
      }),
    after: (ms, fn) => {
      const entry = add(ms, fn);
      return { cancel: () => void entries.delete(entry) };
    },
    every: (ms, fn) => {
      const entry = add(ms, fn, Math.max(1, ms));
      return { cancel: () => void entries.delete(entry) };
    },
    get waiting() {
      return entries.size;
    },
    async advance(ms) {
      const target = elapsed + ms;
      await settle();
      for (let entry = next(target); entry !== undefined; entry = next(target)) {
        elapsed = Math.max(elapsed, entry.due);
        if (entry.repeatMs === undefined) entries.delete(entry);
        else entry.due += entry.repeatMs;
        entry.order = order++;
        entry.fire();
        await settle();
      }
      elapsed = target;
    },
  };
}

/** Lets promises and immediates that are ready run; enough turns for short chains of them, after whoever waits for his. */
async function fewTurns(): Promise<void> {
  for (let turn = 0; turn < 4; turn = theLoop.busy ? 0 : turn + 1)
    await new Promise<void>(resolve => setImmediate(resolve));
}
