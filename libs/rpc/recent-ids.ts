import { must } from '@folsom/core';
/** Remembers the last `max` ids; the oldest is forgotten first. */
export interface RecentIds {
  add(id: string): void;
  has(id: string): boolean;
}

export function recentIds(max: number): RecentIds {
  const ids = new Set<string>();
  return {
    add(id) {
      ids.add(id);
      if (ids.size > max) ids.delete(must(ids.values().next().value, 'value is there'));
    },
    has: id => ids.has(id),
  };
}
