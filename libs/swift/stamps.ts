import type { Clock } from '@folsom/core';
import { normalizeTimestamp } from './timestamps.ts';

/**
 * Timestamps for writes: never the same one twice in a process, so that of two writes to one name within a
 * millisecond the later wins everywhere. Swift's timestamps count hundred-thousandths of a second.
 */
export function stamps({ clock }: { clock: Clock }): () => string {
  let last = 0;
  return () => {
    last = Math.max(last + 1, Math.floor(clock.now() * 100));
    return normalizeTimestamp(last / 100_000);
  };
}
