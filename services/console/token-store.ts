import type { Clock } from '@folsom/core';
import { CONSOLE_LIMITS } from './limits.ts';

/** Where tokens are kept. Values are JSON texts, as Folsom puts them into memcached. */
export interface TokenStore {
  get(key: string): Promise<string | undefined>;
  /** `ttlS` 0 keeps it for good. */
  set(key: string, value: string, ttlS: number): Promise<void>;
  delete(key: string): Promise<void>;
  close(): Promise<void>;
}

/** Tokens of this process; gone with it. */
export function memoryTokenStore(clock: Clock): TokenStore {
  const entries = new Map<string, { value: string; until: number }>();
  const alive = (entry: { until: number }) => entry.until > clock.monotonic();
  const sweep = () => {
    for (const [key, entry] of entries) if (!alive(entry)) entries.delete(key);
    // Still too many: the oldest go.
    for (const key of entries.keys()) {
      if (entries.size <= CONSOLE_LIMITS.tokensMax) break;
      entries.delete(key);
    }
  };
  return {
    async get(key) {
      const entry = entries.get(key);
      return entry !== undefined && alive(entry) ? entry.value : undefined;
    },
    async set(key, value, ttlS) {
      entries.delete(key);
      entries.set(key, { value, until: ttlS === 0 ? Infinity : clock.monotonic() + ttlS * 1000 });
      if (entries.size > CONSOLE_LIMITS.tokensMax) sweep();
    },
    async delete(key) {
      entries.delete(key);
    },
    async close() {
      entries.clear();
    },
  };
}
