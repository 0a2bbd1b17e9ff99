import type { Clock } from './clock.ts';

/** A lock inside this process: calls run one after another, in the order they came. */
export type Mutex = <T>(work: () => Promise<T>) => Promise<T>;

export function mutex(): Mutex {
  let last: Promise<unknown> = Promise.resolve();
  return work => {
    const turn = last.then(work, work);
    last = turn.catch(() => {});
    return turn;
  };
}

/** One lock a key; a key nobody holds costs nothing. */
export function keyedMutex(): <T>(key: string, work: () => Promise<T>) => Promise<T> {
  const tails = new Map<string, Promise<unknown>>();
  return (key, work) => {
    const turn = (tails.get(key) ?? Promise.resolve()).then(work, work);
    const tail = turn.catch(() => {});
    tails.set(key, tail);
    void tail.then(() => {
      if (tails.get(key) === tail) tails.delete(key);
    });
    return turn;
  };
}

/**
 * So many calls of a key at a time; the others wait their turn, in the order they came. Who has waited for `waitMs` goes on
 * without one: a turn spares others, and is no condition.
 */
export function keyedTurns(
  count: number,
  waitMs: number,
  clock: Pick<Clock, 'after'>,
): <T>(key: string, work: () => Promise<T>) => Promise<T> {
  const lines = new Map<string, { taken: number; waiting: Set<() => void> }>();
  /** Whether it got a turn. */
  const turn = (key: string): Promise<boolean> | true => {
    const line = lines.get(key) ?? { taken: 0, waiting: new Set() };
    lines.set(key, line);
    if (line.taken < count) {
      line.taken += 1;
      return true;
    }
    return new Promise(resolve => {
      const timer = clock.after(waitMs, () => {
        line.waiting.delete(next);
        resolve(false);
      });
      const next = () => {
        timer.cancel();
        resolve(true);
      };
      line.waiting.add(next);
    });
  };
  const leave = (key: string) => {
    const line = lines.get(key);
    if (line === undefined) return;
    const [next] = line.waiting;
    if (next !== undefined) {
      line.waiting.delete(next);
      next();
      return;
    }
    line.taken -= 1;
    if (line.taken === 0) lines.delete(key);
  };
  return async (key, work) => {
    const taken = await turn(key);
    try {
      return await work();
    } finally {
      if (taken) leave(key);
    }
  };
}

/**
 * Makes many requests for the same whole piece of work share runs: a request made while one is running gets the
 * next run, together with everybody else who asked meanwhile.
 */
export function coalesced(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  const start = (): Promise<void> => {
    running = work().finally(() => {
      running = undefined;
    });
    return running;
  };
  return () => {
    if (running === undefined) return start();
    next ??= running
      .catch(() => {})
      .then(() => {
        next = undefined;
        return start();
      });
    return next;
  };
}
