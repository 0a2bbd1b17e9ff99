import type { Clock } from '@folsom/core';
import { LRUCache } from 'lru-cache';
import { ec2Fault } from './faults.ts';

export interface LockoutSettings {
  /** Failed signatures before an access key is locked; 0 locks none. */
  attempts: number;
  /** Minutes it stays locked. */
  minutes: number;
  /** Minutes in which the failures count, from the first on. */
  window: number;
}

export interface Lockout {
  /** @throws Fault `AccessKeyLocked` */
  check(access: string): void;
  /** Counts a failed signature. Answers whether that locked the key. */
  failed(access: string): boolean;
}

/** Access keys remembered; whoever tries more of them than that guesses keys, not secrets. */
const KEYS_MAX = 10_000;
const MINUTE_MS = 60_000;

/** Locks an access key after failed signatures, so that nobody tries secrets. */
export function lockout({ attempts, minutes, window }: LockoutSettings, clock: Clock): Lockout {
  const failures = new LRUCache<string, { count: number; until: number }>({ max: KEYS_MAX });
  const of = (access: string) => {
    const entry = failures.get(access);
    return entry && entry.until > clock.now() ? entry : undefined;
  };
  return {
    check: access => {
      if (attempts > 0 && (of(access)?.count ?? 0) >= attempts) throw ec2Fault('AccessKeyLocked');
    },
    failed: access => {
      const entry = of(access) ?? { count: 0, until: clock.now() + window * MINUTE_MS };
      entry.count += 1;
      const locks = attempts > 0 && entry.count === attempts;
      if (locks) entry.until = clock.now() + minutes * MINUTE_MS;
      failures.set(access, entry);
      return locks;
    },
  };
}
