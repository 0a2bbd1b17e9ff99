export { type Cache, memcachedCache, memoryCache, serverOrder } from './memcached.ts';
export { redisCache } from './redis.ts';
