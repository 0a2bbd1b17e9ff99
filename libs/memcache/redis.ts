import { createRequire } from 'node:module';
import type { Logger } from '@folsom/core';
import type { Cache } from './cache.ts';

/** The cache in Redis, `redis://host:port/db`. Values are JSON; an unreachable server counts as an empty cache. */
export function redisCache(url: string, { log }: { log: Logger }): Cache {
  // Loaded where it is configured.
  const { Redis } = createRequire(import.meta.url)('ioredis') as typeof import('ioredis');
  const redis = new Redis(url, {
    lazyConnect: false,
    maxRetriesPerRequest: 1,
    commandTimeout: 2000,
    enableOfflineQueue: true,
  });
  redis.on('error', error => log.error('redis failed', { error }));
  const key = (name: string): string => `swift/${name}`;
  const quietly = async <T>(work: () => Promise<T>, otherwise: T): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      log.error('redis failed', { error });
      return otherwise;
    }
  };
  return {
    get: name =>
      quietly(async () => {
        const text = await redis.get(key(name));
        return text === null ? undefined : (JSON.parse(text) as unknown);
      }, undefined),
    set: (name, value, seconds) =>
      quietly(async () => {
        const text = JSON.stringify(value);
        if (seconds > 0) await redis.set(key(name), text, 'PX', Math.max(1, Math.round(seconds * 1000)));
        else await redis.set(key(name), text);
      }, undefined),
    delete: name => quietly(async () => void (await redis.del(key(name))), undefined),
    increment: (name, delta) =>
      quietly(async () => {
        const value = await redis.incrby(key(name), Math.trunc(delta));
        if (value >= 0) return value;
        await redis.set(key(name), '0');
        return 0;
      }, null),
    close: () => redis.disconnect(),
  };
}
