export { type Cache, memoryCache } from './cache.ts';
export { MemcachedConnection } from './connection.ts';
export { memcachedCache, serverOrder } from './memcached.ts';
export { redisCache } from './redis.ts';
