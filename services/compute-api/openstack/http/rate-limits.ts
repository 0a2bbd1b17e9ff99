import type { Clock } from '@folsom/core';
import { LRUCache } from 'lru-cache';

const UNITS = { SECOND: 1, MINUTE: 60, HOUR: 3600, DAY: 86_400 } as const;
export type RateUnit = keyof typeof UNITS;

export interface RateLimit {
  verb: string;
  /** For people. */
  uri: string;
  /** Matched from the start of the whole URL. */
  regex: string;
  value: number;
  unit: RateUnit;
}

/** Folsom's own table. The second entry matches nothing, as its expression is held against whole URLs. */
export const DEFAULT_RATE_LIMITS: readonly RateLimit[] = [
  { verb: 'POST', uri: '*', regex: '.*', value: 10, unit: 'MINUTE' },
  { verb: 'POST', uri: '*/servers', regex: '^/servers', value: 50, unit: 'DAY' },
  { verb: 'PUT', uri: '*', regex: '.*', value: 10, unit: 'MINUTE' },
  { verb: 'GET', uri: '*changes-since*', regex: '.*changes-since.*', value: 3, unit: 'MINUTE' },
  { verb: 'DELETE', uri: '*', regex: '.*', value: 100, unit: 'MINUTE' },
];

/** Users whose counters are kept; the one unused for longest goes first. */
const USERS_MAX = 10_000;

interface Bucket {
  limit: RateLimit;
  expression: RegExp;
  /** Seconds of the unit already used. */
  water: number;
  last: number | undefined;
  next: number | undefined;
  remaining: number;
}

export interface RateLimitState {
  verb: string;
  uri: string;
  regex: string;
  value: number;
  unit: RateUnit;
  remaining: number;
  /** Seconds since the epoch. */
  resetTime: number;
}

export interface Delay {
  seconds: number;
  text: string;
}

export interface RateLimiter {
  /** Counts a request; answers how long to wait when it is one too many. */
  take(verb: string, url: string, userId: string | null): Delay | undefined;
  /** The user's counters, in the table's order. */
  states(userId: string | null): RateLimitState[];
}

/** Leaky buckets by user, in memory. */
export function rateLimiter(limits: readonly RateLimit[], clock: Clock): RateLimiter {
  // A key of its own for requests without a user.
  const users = new LRUCache<string, Bucket[]>({ max: USERS_MAX });
  const bucketsOf = (userId: string | null): Bucket[] => {
    const key = userId === null ? 'nobody' : `user ${userId}`;
    const found = users.get(key);
    if (found) return found;
    const fresh = limits.map(limit => ({
      limit,
      expression: new RegExp(`^(?:${limit.regex})`),
      water: 0,
      last: undefined,
      next: undefined,
      remaining: limit.value,
    }));
    users.set(key, fresh);
    return fresh;
  };

  return {
    take(verb, url, userId) {
      const delays: Delay[] = [];
      for (const bucket of bucketsOf(userId)) {
        if (bucket.limit.verb !== verb || !bucket.expression.test(url)) continue;
        const seconds = pour(bucket, clock.now() / 1000);
        if (seconds > 0) delays.push({ seconds, text: textOf(bucket.limit) });
      }
      return delays.sort((a, b) => a.seconds - b.seconds)[0];
    },
    states: userId =>
      bucketsOf(userId).map(({ limit, remaining, next }) => ({
        ...limit,
        remaining,
        resetTime: Math.floor(next ?? clock.now() / 1000),
      })),
  };
}

function pour(bucket: Bucket, now: number): number {
  const capacity = UNITS[bucket.limit.unit];
  const share = capacity / bucket.limit.value;
  // A clock that steps back has let nothing run out, and owes nobody anything.
  const passed = Math.max(0, now - (bucket.last ?? now));
  bucket.water = Math.max(0, bucket.water - passed) + share;
  bucket.last = now;
  const over = bucket.water - capacity;
  // A share is a fraction: the last whole request must not fail on its rounding.
  if (over > 1e-9) {
    bucket.water -= share;
    bucket.next = now + over;
    return over;
  }
  bucket.remaining = Math.max(
    0,
    Math.floor(((capacity - bucket.water) / capacity) * bucket.limit.value + 1e-9),
  );
  bucket.next = now;
  return 0;
}

const textOf = ({ value, verb, uri, unit }: RateLimit): string =>
  `Only ${value} ${verb} request(s) can be made to ${uri} every ${unit.toLowerCase()}.`;

/** Reads paste's form: `(POST, "*", .*, 10, MINUTE);(PUT, "*", .*, 10, MINUTE)`. Throws for what it cannot read. */
export function parseRateLimits(text: string): RateLimit[] {
  return text
    .split(';')
    .map(item => item.trim())
    .filter(item => item !== '')
    .map(item => {
      const inner = /^\((.*)\)$/.exec(item)?.[1];
      const parts = inner?.split(',').map(part => part.trim());
      if (parts?.length !== 5) throw new Error(`cannot read the rate limit ${item}`);
      const [verb, uri, regex, value, unit] = parts as [string, string, string, string, string];
      const name = unit.toUpperCase() as RateUnit;
      if (!(name in UNITS) || !(Number(value) > 0)) throw new Error(`cannot read the rate limit ${item}`);
      return { verb: verb.toUpperCase(), uri, regex, value: Number(value), unit: name };
    });
}
