import { createCipheriv, createDecipheriv, createHmac, hash, hkdfSync } from 'node:crypto';
import { type Random, secretsEqual } from '@folsom/core';
import { LRUCache } from 'lru-cache';

/** Answers of the identity service, kept for a while. Keys are tokens; no cache keeps a token as it is. */
export interface TokenCache {
  get(token: string): Promise<string | null>;
  set(token: string, value: string, ttlMs: number): Promise<void>;
  close(): Promise<void>;
}

const ENTRIES_MAX = 10_000;

/** In the memory of this process. */
export function memoryTokenCache(): TokenCache {
  const entries = new LRUCache<string, string>({ max: ENTRIES_MAX, ttl: 1, ttlAutopurge: false });
  const key = (token: string) => hash('sha256', token, 'base64');
  return {
    get: async token => entries.get(key(token)) ?? null,
    set: async (token, value, ttlMs) => void entries.set(key(token), value, { ttl: Math.max(ttlMs, 1) }),
    close: async () => entries.clear(),
  };
}

/** What a shared cache needs of Redis; ioredis fits. */
export interface RedisLike {
  get(key: string): Promise<string | null>;
  set(key: string, value: string, unit: 'PX', ttlMs: number): Promise<unknown>;
  quit(): Promise<unknown>;
}

/**
 * In a Redis that other processes, and maybe other people, can write to. With `security` a value that was not written with
 * the same secret, for the same token, is a miss. A Redis that fails is a miss, too.
 */
export function redisTokenCache(
  redis: RedisLike,
  security: { strategy: 'MAC' | 'ENCRYPT'; secret: string } | null,
  random: Random,
): TokenCache {
  const seal = security ? sealer(security, random) : null;
  const key = (token: string) =>
    `folsom:token:${
      security
        ? createHmac('sha256', security.secret).update(token).digest('base64url')
        : hash('sha256', token, 'base64url')
    }`;
  return {
    get: async token => {
      try {
        const value = await redis.get(key(token));
        if (value === null) return null;
        return seal ? seal.open(key(token), value) : value;
      } catch {
        return null;
      }
    },
    set: async (token, value, ttlMs) => {
      try {
        const name = key(token);
        await redis.set(name, seal ? seal.close(name, value) : value, 'PX', Math.max(Math.round(ttlMs), 1));
      } catch {
        // The next request asks the identity service again.
      }
    },
    close: async () => {
      await redis.quit().catch(() => {});
    },
  };
}

function sealer({ strategy, secret }: { strategy: 'MAC' | 'ENCRYPT'; secret: string }, random: Random) {
  const derive = (purpose: string) => Buffer.from(hkdfSync('sha256', secret, '', purpose, 32));
  const macKey = derive('folsom token cache mac');
  const cipherKey = derive('folsom token cache encryption');
  const mac = (name: string, value: string) =>
    createHmac('sha256', macKey).update(`${name.length}:${name}${value}`).digest('base64url');
  if (strategy === 'MAC') {
    return {
      close: (name: string, value: string) => `${mac(name, value)}.${value}`,
      open: (name: string, sealed: string) => {
        const value = sealed.slice(44);
        return sealed[43] === '.' && secretsEqual(sealed.slice(0, 43), mac(name, value)) ? value : null;
      },
    };
  }
  return {
    close: (name: string, value: string) => {
      const nonce = random.bytes(12);
      const cipher = createCipheriv('aes-256-gcm', cipherKey, nonce);
      cipher.setAAD(Buffer.from(name));
      const body = Buffer.concat([cipher.update(value, 'utf8'), cipher.final()]);
      return Buffer.concat([nonce, cipher.getAuthTag(), body]).toString('base64');
    },
    open: (name: string, sealed: string) => {
      const raw = Buffer.from(sealed, 'base64');
      // One value has one spelling: lenient decoding would accept others.
      if (raw.length < 28 || raw.toString('base64') !== sealed) return null;
      const cipher = createDecipheriv('aes-256-gcm', cipherKey, raw.subarray(0, 12));
      cipher.setAAD(Buffer.from(name));
      cipher.setAuthTag(raw.subarray(12, 28));
      return Buffer.concat([cipher.update(raw.subarray(28)), cipher.final()]).toString('utf8');
    },
  };
}
