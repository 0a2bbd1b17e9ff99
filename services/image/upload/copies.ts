import type { World } from '@folsom/core';

const RUNNING_MAX = 16;
const WAITING_MAX = 1024;

/** Copies from external sources, done behind the answer. */
export interface Copies {
  /** Runs the copy when there is room. False when too many wait. */
  start(imageId: string, copy: () => Promise<void>): boolean;
  /** Resolves when no copy runs or waits; waiting ones are dropped by `stop`. */
  stop(): Promise<void>;
  idle(): Promise<void>;
}

export function createCopies(world: World): Copies {
  const waiting: (() => Promise<void>)[] = [];
  const running = new Set<Promise<void>>();
  let stopped = false;
  const next = () => {
    while (!stopped && running.size < RUNNING_MAX) {
      const copy = waiting.shift();
      if (!copy) return;
      const done: Promise<void> = copy().finally(() => {
        running.delete(done);
        next();
      });
      running.add(done);
    }
  };
  const idle = async () => {
    while (running.size > 0 || (waiting.length > 0 && !stopped)) await Promise.allSettled([...running]);
  };
  return {
    start: (imageId, copy) => {
      if (stopped || waiting.length >= WAITING_MAX) return false;
      waiting.push(() =>
        copy().catch(error =>
          world.log.error('a copy from an external source failed', { image: imageId, error }),
        ),
      );
      next();
      return true;
    },
    stop: async () => {
      stopped = true;
      waiting.length = 0;
      await idle();
    },
    idle,
  };
}
