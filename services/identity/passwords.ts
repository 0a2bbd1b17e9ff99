import { createHmac, createSecretKey } from 'node:crypto';
import { ALPHANUMERIC, secretsEqual, type World } from '@folsom/core';
import { crypt } from '@folsom/host/crypt';
import { LRUCache } from 'lru-cache';
import { fault } from './faults.ts';
import { IDENTITY_LIMITS } from './limits.ts';
import type { User } from './repositories/users.ts';

const SALT_ALPHABET = `./${ALPHANUMERIC}`;
const SALT_CHARS = 16;
const SHA512_CRYPT = /^\$6\$(rounds=\d{1,9}\$)?[./A-Za-z0-9]{0,16}\$[./A-Za-z0-9]{86}$/;

export interface Passwords {
  /** The sha512_crypt hash of a new password. A text that is such a hash already is kept as it is. */
  hash(password: string): Promise<string>;
  /**
   * Whether the password is this user's. Takes the same time for a user who does not exist (null) or has no password. A
   * pair verified a moment ago is recognised without hashing, as long as nothing about the user has changed.
   */
  verify(user: User | null, password: string): Promise<boolean>;
}

export function passwords(options: { world: World; rounds: number }): Passwords {
  const { world, rounds } = options;
  // Known to this process only: the digests are of no use to anybody else.
  const key = createSecretKey(world.random.bytes(32));
  const verified = new LRUCache<string, number>({ max: IDENTITY_LIMITS.verifiedPairsMax });
  const underWay = new Map<string, Promise<boolean>>();
  const nobody = `$6$rounds=${rounds}$${world.random.text(SALT_CHARS, SALT_ALPHABET)}$${'.'.repeat(86)}`;
  let waiting = 0;

  const slow = async (password: string, setting: string): Promise<string | null> => {
    if (waiting >= IDENTITY_LIMITS.hashesWaitingMax) throw fault('Busy');
    waiting += 1;
    try {
      return await crypt(password, setting);
    } finally {
      waiting -= 1;
    }
  };

  const digest = (user: User, password: string): string =>
    createHmac('sha256', key)
      .update(JSON.stringify([user.id, user.name, user.extra]))
      .update('\0')
      .update(password)
      .digest('base64');

  const compare = async (user: User | null, password: string): Promise<boolean> => {
    const stored = user?.extra.password;
    const usable = typeof stored === 'string' && SHA512_CRYPT.test(stored) && password !== '';
    const setting = usable ? stored : nobody;
    const computed = await slow(password, setting);
    return computed !== null && secretsEqual(computed, setting) && usable;
  };

  return {
    hash: async password => {
      if (SHA512_CRYPT.test(password)) return password;
      const hashed = await slow(
        password,
        `$6$rounds=${rounds}$${world.random.text(SALT_CHARS, SALT_ALPHABET)}`,
      );
      if (hashed === null) throw new Error('libcrypt refused a setting of our own');
      return hashed;
    },
    verify: async (user, password) => {
      if (user === null) return compare(null, password);
      const pair = digest(user, password);
      const at = verified.get(pair);
      if (at !== undefined && world.clock.monotonic() - at < IDENTITY_LIMITS.verifiedPairMs) return true;
      // The same pair asked for many times at once is hashed once.
      const running = underWay.get(pair);
      if (running) return running;
      const comparing = compare(user, password).finally(() => underWay.delete(pair));
      underWay.set(pair, comparing);
      const right = await comparing;
      if (right) verified.set(pair, world.clock.monotonic());
      return right;
    },
  };
}
