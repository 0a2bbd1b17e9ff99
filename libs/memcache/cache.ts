import type { World } from '@folsom/core';
import { LRUCache } from 'lru-cache';

/** A cache shared by the proxies of a cluster, or one process's own. Values are plain JSON data. Never throws. */
export interface Cache {
  get(key: string): Promise<unknown>;
  /** Keeps a value for `seconds`; 0 keeps it until it is pushed out. */
  set(key: string, value: unknown, seconds: number): Promise<void>;
  delete(key: string): Promise<void>;
  /** Adds to a counter (made with `delta` if absent, at least 0); null when no cache answers. */
  increment(key: string, delta: number): Promise<number | null>;
  close(): void;
}

/** The cache of one process. */
export function memoryCache({ clock }: Pick<World, 'clock'>, entriesMax = 100_000): Cache {
  const entries = new LRUCache<string, { value: unknown; until: number }>({ max: entriesMax });
  const read = (key: string): unknown => {
    const entry = entries.get(key);
    if (!entry) return undefined;
    if (entry.until < clock.monotonic()) {
      entries.delete(key);
      return undefined;
    }
    return entry.value;
  };
  return {
    get: async key => read(key),
    set: async (key, value, seconds) => {
      const until = seconds > 0 ? clock.monotonic() + seconds * 1000 : Number.POSITIVE_INFINITY;
      entries.set(key, { value, until });
    },
    delete: async key => void entries.delete(key),
    increment: async (key, delta) => {
      const next = Math.max(0, Number(read(key) ?? 0) + delta);
      entries.set(key, { value: next, until: Number.POSITIVE_INFINITY });
      return next;
    },
    close: () => entries.clear(),
  };
}
