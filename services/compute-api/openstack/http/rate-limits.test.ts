import { type Clock, systemClock } from '@folsom/core';
import { describe, expect, it } from 'vitest';
import { startTestApi } from '../../test-api.ts';
import { DEFAULT_RATE_LIMITS, parseRateLimits, rateLimiter } from './rate-limits.ts';

const at = (start: number) => {
  const clock = { ...systemClock, now: () => clock.ms, ms: start } as Clock & { ms: number };
  return clock;
};

describe('rate limits', () => {
  it('let ten POSTs a minute through and say when the next may come', () => {
    const clock = at(1_000_000);
    const limiter = rateLimiter(DEFAULT_RATE_LIMITS, clock);
    for (let n = 0; n < 10; n++) expect(limiter.take('POST', 'http://h/v2/t/x', 'u')).toBeUndefined();
    const delay = limiter.take('POST', 'http://h/v2/t/x', 'u');
    expect(delay).toEqual({ seconds: 6, text: 'Only 10 POST request(s) can be made to * every minute.' });
    expect(limiter.take('POST', 'http://h/v2/t/x', 'other')).toBeUndefined();
    expect(limiter.take('GET', 'http://h/v2/t/x', 'u')).toBeUndefined();
    clock.ms += 6_000;
    expect(limiter.take('POST', 'http://h/v2/t/x', 'u')).toBeUndefined();
    expect(limiter.states('u')[0]).toMatchObject({ verb: 'POST', remaining: 0, value: 10 });
  });

  it('do not lock a user out when the clock steps back', () => {
    const clock = at(10 * 86_400_000);
    const limiter = rateLimiter(DEFAULT_RATE_LIMITS, clock);
    for (let n = 0; n < 5; n++) expect(limiter.take('POST', 'http://h/v2/t/x', 'u')).toBeUndefined();
    clock.ms -= 2 * 86_400_000;
    for (let n = 0; n < 5; n++) expect(limiter.take('POST', 'http://h/v2/t/x', 'u')).toBeUndefined();
    expect(limiter.take('POST', 'http://h/v2/t/x', 'u')).toMatchObject({ seconds: 6 });
    clock.ms += 6_000;
    expect(limiter.take('POST', 'http://h/v2/t/x', 'u')).toBeUndefined();
  });

  it('read the form of api-paste.ini', () => {
    expect(parseRateLimits('(POST, "*", .*, 10, MINUTE);(get, *changes*, .*changes.*, 3, hour)')).toEqual([
      { verb: 'POST', uri: '"*"', regex: '.*', value: 10, unit: 'MINUTE' },
      { verb: 'GET', uri: '*changes*', regex: '.*changes.*', value: 3, unit: 'HOUR' },
    ]);
    expect(() => parseRateLimits('(POST, *, .*, 0, MINUTE)')).toThrow();
    expect(() => parseRateLimits('nonsense')).toThrow();
  });

  it('are shown and answered by the API as the original did', async () => {
    const api = await startTestApi({ rateLimits: [...DEFAULT_RATE_LIMITS], clock: at(1_354_000_000_000) });
    try {
      const answers = [];
      for (let n = 0; n < 11; n++)
        answers.push(await api.call('POST', 'os-keypairs', { body: { keypair: {} } }));
      const last = answers.at(-1)!;
      expect(last.status).toBe(413);
      expect(last.headers.get('retry-after')).toBe('6');
      expect(last.json).toEqual({
        overLimit: {
          message: 'This request was rate-limited.',
          code: 413,
          retryAfter: '6',
          details: 'Only 10 POST request(s) can be made to * every minute.',
        },
      });
      const limits = await api.call('GET', 'limits');
      expect(limits.json.limits.rate.map((rate: { uri: string }) => rate.uri)).toEqual([
        '*',
        '*/servers',
        '*changes-since*',
      ]);
    } finally {
      await api.stop();
    }
  });
});
