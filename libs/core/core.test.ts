import { describe, expect, it } from 'vitest';
import {
  catalogue,
  createLogger,
  LOG_LINE_BYTES_MAX,
  maskText,
  pythonIso,
  requestContext,
  secretsEqual,
  seededRandom,
  systemClock,
} from './index.ts';

describe('faults', () => {
  it('fills the text from the values and keeps both', () => {
    const fault = catalogue({ NotFound: { status: 404, text: 'Instance %(id)s could not be found.' } });
    const made = fault('NotFound', { id: 'abc' });
    expect(made.message).toBe('Instance abc could not be found.');
    expect(made.status).toBe(404);
    expect(made.values).toEqual({ id: 'abc' });
  });
});

describe('logger', () => {
  it('masks what a query calls a token, password or secret', () => {
    for (const name of [
      'token',
      'auth_token',
      'X-Auth-Token',
      'password',
      'adminPasswd',
      'client_secret',
      'Signature',
    ])
      expect(maskText(`/v2/servers?a=1&${name}=MARK&b=2`)).toBe(`/v2/servers?a=1&${name}=***&b=2`);
    expect(maskText('/v1/images?tokens_are=5&limit=2')).toBe('/v1/images?tokens_are=5&limit=2');
  });

  it('masks secrets at any depth, in headers, URLs and connection strings', () => {
    const lines: string[] = [];
    const log = createLogger({ write: line => lines.push(line) });
    log.info('login', {
      password: 'MARK1',
      headers: { 'x-auth-token': 'MARK2' },
      body: { auth: { passwordCredentials: { username: 'demo', password: 'MARK3' } } },
      url: 'mysql://nova:MARK4@db/nova',
      path: '/vnc_auto.html?token=MARK5&x=1',
    });
    expect(lines.join('')).not.toMatch(/MARK/);
    expect(lines.join('')).toContain('demo');
  });

  it('never writes an endless line', () => {
    const lines: string[] = [];
    createLogger({ write: line => lines.push(line) }).info('big', {
      texts: Array(10).fill('x'.repeat(1_000_000)),
    });
    expect(lines[0]!.length).toBeLessThanOrEqual(LOG_LINE_BYTES_MAX + 1);
  });
});

describe('random', () => {
  it('repeats under a seed and differs between seeds', () => {
    expect(seededRandom(7).uuid()).toBe(seededRandom(7).uuid());
    expect(seededRandom(7).uuid()).not.toBe(seededRandom(8).uuid());
    expect(seededRandom(7).uuid()).toMatch(
      /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    );
  });
});

describe('clock', () => {
  it('sleep ends when its signal is aborted', async () => {
    const controller = new AbortController();
    const slept = systemClock.sleep(60_000, controller.signal);
    controller.abort(new Error('stop'));
    await expect(slept).rejects.toThrow('stop');
  });

  it('prints times as Python does', () => {
    expect(pythonIso(Date.UTC(2012, 8, 27, 10))).toBe('2012-09-27T10:00:00');
    expect(pythonIso(Date.UTC(2012, 8, 27, 10) + 5)).toBe('2012-09-27T10:00:00.005000');
  });
});

describe('secrets', () => {
  it('compares by content whatever the length', () => {
    expect(secretsEqual('abc', 'abc')).toBe(true);
    expect(secretsEqual('abc', 'abd')).toBe(false);
    expect(secretsEqual('abc', 'abcd')).toBe(false);
  });
});

describe('context', () => {
  it('has no rights unless given', () => {
    const context = requestContext({ userId: 'u' });
    expect(context.isAdmin).toBe(false);
    expect(context.roles).toEqual([]);
    expect(context.requestId).toMatch(/^req-/);
  });
});
