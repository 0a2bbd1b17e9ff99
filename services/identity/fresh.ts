import type { Clock } from '@folsom/core';

/** A value read from the database that may be a moment old; callers that come together share one reading. */
export interface Fresh<T> {
  get(): Promise<T>;
  /** Forgets the value: the next reader sees what is stored now. */
  invalidate(): void;
}

export function fresh<T>(load: () => Promise<T>, ms: number, clock: Clock): Fresh<T> {
  let value: { at: number; promise: Promise<T> } | undefined;
  return {
    get: () => {
      const now = clock.monotonic();
      if (value && now - value.at < ms) return value.promise;
      const mine = { at: now, promise: load() };
      value = mine;
      // A failure must not be remembered.
      mine.promise.catch(() => {
        if (value === mine) value = undefined;
      });
      return mine.promise;
    },
    invalidate: () => {
      value = undefined;
    },
  };
}
