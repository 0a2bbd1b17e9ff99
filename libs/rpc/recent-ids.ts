import { LRUCache } from 'lru-cache';

/** Remembers the last `max` ids; the oldest is forgotten first. */
export interface RecentIds {
  add(id: string): void;
  has(id: string): boolean;
}

export function recentIds(max: number): RecentIds {
  const ids = new LRUCache<string, true>({ max });
  return {
    add: id => void ids.set(id, true),
    has: id => ids.has(id),
  };
}
