import { createHmac, createSecretKey } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { ALPHANUMERIC, secretsEqual, type World } from '@folsom/core';
import { crypt } from '@folsom/host/crypt';
import { LRUCache } from 'lru-cache';
import { hashQueue } from './hash-queue.ts';
import { IDENTITY_LIMITS } from './limits.ts';
import type { User } from './repositories/users.ts';

const SALT_ALPHABET = `./${ALPHANUMERIC}`;
const SALT_CHARS = 16;
const SHA512_CRYPT = /^\$6\$(?:rounds=(\d{1,9})\$)?[./A-Za-z0-9]{0,16}\$[./A-Za-z0-9]{86}$/;
const DEFAULT_ROUNDS = 5000;

/** Whether a text that comes from a database is a hash of ours. What a user types is never one, however it looks. */
export const isPasswordHash = (text: string): boolean => SHA512_CRYPT.test(text);

export interface Passwords {
  /** The sha512_crypt hash of a new password of the user of this id or name. */
  hash(who: string, password: string): Promise<string>;
  /**
   * Whether the password is this user's. Takes the same time for a user who does not exist (null) or has no password. A
   * pair verified a moment ago is recognised without hashing, as long as nothing about the user has changed.
   *
   * @param who the name or id that was asked for, whether it exists or not: its requests wait for each other
   */
  verify(who: string, user: User | null, password: string): Promise<boolean>;
}

export function passwords(options: { world: World; rounds: number }): Passwords {
  const { world, rounds } = options;
  // Known to this process only: the digests are of no use to anybody else.
  const key = createSecretKey(world.random.bytes(32));
  const verified = new LRUCache<string, number>({ max: IDENTITY_LIMITS.verifiedPairsMax });
  const underWay = new Map<string, Promise<boolean>>();
  const nobody = `$6$rounds=${rounds}$${world.random.text(SALT_CHARS, SALT_ALPHABET)}$${'.'.repeat(86)}`;
  const queue = hashQueue(world.clock, {
    atATime: availableParallelism(),
    waitingMax: IDENTITY_LIMITS.hashesWaitingMax,
    waitingOfOneMax: IDENTITY_LIMITS.hashesWaitingOfOneMax,
    waitMs: IDENTITY_LIMITS.hashWaitMs,
  });
  const roundsMax = Math.max(rounds, IDENTITY_LIMITS.hashRoundsMax);
  // Whose hashes were complained of: a line of the log for each, not for each login.
  const refused = new LRUCache<string, true>({ max: IDENTITY_LIMITS.verifiedPairsMax });

  const usableHash = (user: User | null): string | null => {
    const stored = user?.extra.password;
    const found = typeof stored === 'string' ? SHA512_CRYPT.exec(stored) : null;
    if (!user || !found) return null;
    const asked = Number(found[1] ?? DEFAULT_ROUNDS);
    if (asked <= roundsMax) return found[0];
    if (!refused.has(user.id)) {
      refused.set(user.id, true);
      world.log.warn('a stored password hash has too many rounds; its user cannot log in', {
        user: user.id,
        rounds: asked,
        roundsMax,
      });
    }
    return null;
  };

  const digest = (user: User, password: string): string =>
    createHmac('sha256', key)
      .update(JSON.stringify([user.id, user.name, user.extra]))
      .update('\0')
      .update(password)
      .digest('base64');

  const compare = async (who: string, user: User | null, password: string): Promise<boolean> => {
    const stored = password === '' ? null : usableHash(user);
    const setting = stored ?? nobody;
    const computed = await queue(who, () => crypt(password, setting));
    return computed !== null && secretsEqual(computed, setting) && stored !== null;
  };

  return {
    hash: async (who, password) => {
      const setting = `$6$rounds=${rounds}$${world.random.text(SALT_CHARS, SALT_ALPHABET)}`;
      const hashed = await queue(who, () => crypt(password, setting));
      if (hashed === null) throw new Error('libcrypt refused a setting of our own');
      return hashed;
    },
    verify: async (who, user, password) => {
      if (user === null) return compare(who, null, password);
      const pair = digest(user, password);
      const at = verified.get(pair);
      if (at !== undefined && world.clock.monotonic() - at < IDENTITY_LIMITS.verifiedPairMs) return true;
      // The same pair asked for many times at once is hashed once.
      const running = underWay.get(pair);
      if (running) return running;
      const comparing = compare(who, user, password).finally(() => underWay.delete(pair));
      underWay.set(pair, comparing);
      const right = await comparing;
      if (right) verified.set(pair, world.clock.monotonic());
      return right;
    },
  };
}
