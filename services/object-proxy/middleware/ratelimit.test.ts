import { seededRandom, silentLogger, systemClock } from '@folsom/core';
import { memoryCache } from '@folsom/memcache';
import { confSection } from '@folsom/swift';
import { answer, type ServerRequest } from '@folsom/swift-http';
import { expect, it } from 'vitest';
import { proxyRequest } from '../request.ts';
import type { Tools } from './middleware.ts';
import { rateLimit } from './ratelimit.ts';

it('a clock that steps back shuts nobody out', async () => {
  let stepMs = 0;
  const world = {
    clock: { ...systemClock, now: () => 1_354_000_000_000 + stepMs, sleep: async () => {} },
    random: seededRandom(1),
    log: silentLogger,
  };
  const cache = memoryCache(world);
  const tools = { world, log: silentLogger } as unknown as Tools;
  const app = rateLimit(
    async request => answer(201, request),
    confSection({ account_ratelimit: '1', max_sleep_time_seconds: '10' }),
    tools,
  );
  const put = async () => {
    const http = { method: 'PUT', target: '/v1/a/c', version: '1.1', headers: new Map(), remoteAddress: 'x' };
    const request = proxyRequest(http as unknown as ServerRequest, world);
    request.cache = cache;
    return (await app(request)).status;
  };
  expect(await put()).toBe(201);
  stepMs = -3_600_000;
  expect(await put()).toBe(201);
  // The limit holds from there.
  const statuses: number[] = [];
  for (let n = 0; n < 20; n++) statuses.push(await put());
  expect(statuses.filter(status => status === 201).length).toBeLessThan(12);
  expect(statuses.at(-1)).toBe(498);
});
