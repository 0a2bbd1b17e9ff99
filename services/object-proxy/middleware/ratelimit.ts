import { must } from '@folsom/core';
import { bodyOf, type ServerResponse, splitPath } from '@folsom/swift-http';
import { containerKey } from '../info.ts';
import type { ProxyRequest } from '../request.ts';
import type { Middleware } from './middleware.ts';

const BLACKLIST_PAUSE_MS = 1000;

const plainText = (status: number, text: string): ServerResponse => ({
  status,
  headers: new Map([
    ['content-type', 'text/html; charset=UTF-8'],
    ['content-length', String(text.length)],
  ]),
  body: Buffer.from(text),
});

/** Slows down clients that write faster than they may: by account, and by container depending on its size. */
export const rateLimit: Middleware = (app, conf, tools) => {
  const { clock } = tools.world;
  const accountRate = conf.float('account_ratelimit', 0);
  const maxSleep = conf.float('max_sleep_time_seconds', 60);
  const logSleep = conf.float('log_sleep_time_seconds', 0);
  const accuracy = conf.int('clock_accuracy', 1000);
  const buffer = conf.int('rate_buffer_seconds', 5);
  const whitelist = conf.list('account_whitelist', []);
  const blacklist = conf.list('account_blacklist', []);
  const steps = Object.entries(conf.values)
    .map(([name, value]) => ({
      size: Number(/^container_ratelimit_(\d+)$/.exec(name)?.[1] ?? Number.NaN),
      rate: Number(value),
    }))
    .filter(({ size }) => !Number.isNaN(size))
    .sort((a, b) => a.size - b.size);

  /** Requests per second for a container of a size: between two given sizes, between their rates. */
  const containerRate = (size: number): number | null => {
    const at = steps.findLastIndex(step => step.size <= size);
    const step = steps[at];
    if (!size || !step) return null;
    const next = steps[at + 1];
    return next
      ? step.rate + ((size - step.size) * (next.rate - step.rate)) / (next.size - step.size)
      : step.rate;
  };

  const limitsOf = async (
    request: ProxyRequest,
    account: string | null,
    container: string | null,
    object: string | null,
  ): Promise<[string, number][]> => {
    const { method, cache } = request;
    const out: [string, number][] = [];
    if (!account || !container) return out;
    if (accountRate && !object && (method === 'PUT' || method === 'DELETE'))
      out.push([`ratelimit/${account}`, accountRate]);
    if (object && steps.length && (method === 'PUT' || method === 'DELETE' || method === 'POST')) {
      const info = (await cache?.get(containerKey(account, container))) as
        | { container_size?: string | null }
        | undefined;
      const rate = containerRate(Number(info?.container_size ?? 0));
      if (rate) out.push([`ratelimit/${account}/${container}`, rate]);
    }
    return out;
  };

  /** Seconds to wait before the next request under a key; null if that would be too long. */
  const waitFor = async (request: ProxyRequest, key: string, rate: number): Promise<number | null> => {
    const cache = must(request.cache, 'cache is there');
    const now = Math.round((clock.now() / 1000) * accuracy);
    const each = Math.round(accuracy / rate);
    const running = await cache.increment(key, each);
    if (running === null) return 0;
    let wait = 0;
    // Nobody is further ahead than he may be made to wait: then the clock, or another proxy's, has stepped back.
    const stepped = running - now > 2 * maxSleep * accuracy;
    if (stepped || now - running > buffer * accuracy) await cache.set(key, now + each, 0);
    else wait = Math.max(running - now - each, 0);
    if (maxSleep * accuracy - wait <= accuracy * 0.01) {
      await cache.increment(key, -each);
      return null;
    }
    return wait / accuracy;
  };

  return async request => {
    const parts = splitPath(request.path, 1, 4, true);
    if (!parts) return app(request);
    const [, account, container, object] = parts as [string, string | null, string | null, string | null];
    if (!request.cache) {
      tools.log.warn('cannot limit rates without a cache');
      return app(request);
    }
    if (account && blacklist.includes(account)) {
      tools.log.error('refused a blacklisted account', { account, requestId: request.transId });
      await clock.sleep(BLACKLIST_PAUSE_MS);
      request.body = bodyOf(Buffer.alloc(0));
      return plainText(497, 'Your account has been blacklisted');
    }
    if (!account || whitelist.includes(account)) return app(request);
    for (const [key, rate] of await limitsOf(request, account, container, object)) {
      const wait = await waitFor(request, key, rate);
      if (wait === null) {
        tools.log.error('refused a request that came too fast', { key, requestId: request.transId });
        return plainText(498, 'Slow down');
      }
      if (logSleep && wait > logSleep) tools.log.warn('slowed a request down', { key, seconds: wait });
      if (wait > 0) await clock.sleep(wait * 1000);
    }
    return app(request);
  };
};
