import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Cache, memcachedCache, memoryCache, redisCache } from '@folsom/memcache';
import { type ConfSection, readConf } from '@folsom/swift';
import type { Middleware, Tools } from './middleware.ts';

/** memcache_servers of the section, else of memcache.conf; nothing configured means a cache in this process. */
function configuredCache(conf: ConfSection, tools: Tools): Cache {
  let servers = conf.str('memcache_servers', '');
  const file = join(tools.swiftDir, 'memcache.conf');
  const shared = existsSync(file) ? readConf(file).section('memcache') : null;
  servers ||= shared?.str('memcache_servers', '') ?? '';
  const option = 'memcache_serialization_support';
  const serialization = conf.has(option) ? conf.int(option, 2) : (shared?.int(option, 2) ?? 2);
  if (/^rediss?:/.test(servers)) return redisCache(servers, tools);
  const list = servers
    .split(',')
    .map(server => server.trim())
    .filter(Boolean);
  return list.length
    ? memcachedCache(list, { clock: tools.world.clock, log: tools.log, serialization })
    : memoryCache(tools.world);
}

/** Hands the cache to all further in. */
export const cacheMiddleware: Middleware = (app, conf, tools) => {
  const cache = tools.cache ?? configuredCache(conf, tools);
  if (!tools.cache) tools.onStop(() => cache.close());
  return request => {
    request.cache = cache;
    return app(request);
  };
};
