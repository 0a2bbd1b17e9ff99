import { createHash } from 'node:crypto';
import { silentLogger, systemClock } from '@folsom/core';
import { type Cache, memcachedCache, memoryCache, redisCache, serverOrder } from '@folsom/memcache';
import { eventually, startMemcached, startRedis, type ThrowAwayServer } from '@folsom/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const world = { clock: systemClock, log: silentLogger };
const servers: ThrowAwayServer[] = [];
const caches: Record<string, Cache> = {};
let addresses: string[];

beforeAll(async () => {
  const [first, second, redis] = await Promise.all([startMemcached(), startMemcached(), startRedis()]);
  servers.push(first, second, redis);
  addresses = [first, second].map(({ host, port }) => `${host}:${port}`);
  caches.memory = memoryCache(world);
  caches.memcached = memcachedCache(addresses, world);
  caches.redis = redisCache(redis.url, world);
}, 60_000);
afterAll(async () => {
  for (const cache of Object.values(caches)) cache.close();
  for (const server of servers) await server.stop();
});

describe.each(['memory', 'memcached', 'redis'])('the cache in %s', kind => {
  it('keeps what it is given, until it is told otherwise or its time is over', async () => {
    const cache = caches[kind]!;
    expect(await cache.get('account/AUTH_a')).toBeUndefined();
    await cache.set('account/AUTH_a', { status: 204, name: '☃' }, 60);
    expect(await cache.get('account/AUTH_a')).toEqual({ status: 204, name: '☃' });
    await cache.delete('account/AUTH_a');
    expect(await cache.get('account/AUTH_a')).toBeUndefined();
    await cache.set('soon over', [1], 1);
    await eventually(() => cache.get('soon over')).toBeUndefined();
  });

  it('counts, never below nothing', async () => {
    const cache = caches[kind]!;
    expect(await cache.increment('ratelimit/AUTH_a', 5)).toBe(5);
    expect(await cache.increment('ratelimit/AUTH_a', 2)).toBe(7);
    expect(await cache.increment('ratelimit/AUTH_a', -100)).toBe(0);
  });
});

it('keys lie on the servers where the original looks for them', () => {
  const order = serverOrder(['10.0.0.1:11211', '10.0.0.2:11211', '10.0.0.3:11211']);
  const hosts = (key: string): string =>
    order(createHash('md5').update(key).digest('hex'))
      .map(server => server.charAt(7))
      .join('');
  expect(
    [
      'account/AUTH_test',
      'container/AUTH_test/c',
      'AUTH_/token/AUTH_tk1',
      'tokens/abc',
      'ratelimit/AUTH_test',
    ].map(hosts),
  ).toEqual(['132', '231', '213', '213', '213']);
});

it('pickles are for caches shared with old proxies only', async () => {
  const old = memcachedCache(addresses, { ...world, serialization: 0 });
  const between = memcachedCache(addresses, { ...world, serialization: 1 });
  await old.set('container/AUTH_a/c', { status: 204, read_acl: '.r:*' }, 60);
  expect(await old.get('container/AUTH_a/c')).toEqual({ status: 204, read_acl: '.r:*' });
  expect(await between.get('container/AUTH_a/c')).toEqual({ status: 204, read_acl: '.r:*' });
  expect(await caches.memcached!.get('container/AUTH_a/c')).toBeUndefined();
  await between.set('container/AUTH_a/c', { status: 404 }, 60);
  expect(await caches.memcached!.get('container/AUTH_a/c')).toEqual({ status: 404 });
  old.close();
  between.close();
});

it('a server that goes away leaves an empty cache, not a failure', async () => {
  const [first] = servers as [ThrowAwayServer];
  const alone = memcachedCache([addresses[0]!], world);
  await alone.set('k', 1, 60);
  await first.stop();
  expect(await alone.get('k')).toBeUndefined();
  expect(await alone.increment('n', 1)).toBeNull();
  // the others take over
  await caches.memcached!.set('k2', { a: 1 }, 60);
  expect(await caches.memcached!.get('k2')).toEqual({ a: 1 });
  alone.close();
});
