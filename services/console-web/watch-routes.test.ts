import { configFrom } from '@folsom/config';
import { createLogger, type RunningService, seededRandom } from '@folsom/core';
import { fakeClock } from '@folsom/testing';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ADMIN, type FakeCloud, fakeCloud, USER } from './fake-cloud.ts';
import { consoleWebOptions, startConsoleWeb } from './index.ts';
import type { Beside, LogQuery } from './shared.ts';

let cloud: FakeCloud;
let web: RunningService;
let lines: string[];
let searched: { query: LogQuery; signal: AbortSignal }[];

const LINE = { time: 't', level: 'info', service: 's', requestId: null, tenant: null, what: 'w' };
const beside: Beside = {
  trace: null,
  logs: {
    search: async (query, signal) => {
      searched.push({ query, signal });
      return { lines: [LINE], before: '1:2' };
    },
  },
  metrics: { view: () => ({ everyMs: 10, until: 20, plots: [], boots: [] }) },
};

beforeEach(async () => {
  [lines, searched] = [[], []];
  cloud = await fakeCloud();
});
afterEach(async () => {
  await web.stop();
  await cloud.stop();
});

const start = async (options: Partial<Beside>) => {
  web = await startConsoleWeb({
    config: configFrom([consoleWebOptions], { DEFAULT: { auth_url: cloud.url, bind_port: 0 } as never }),
    world: {
      clock: fakeClock(),
      random: seededRandom(1),
      log: createLogger({ level: 'debug', write: line => lines.push(line) }),
    },
    ...options,
  });
};

async function person({ name, password }: typeof USER) {
  const base = `http://${web.addresses[0]}`;
  const type = { 'content-type': 'application/json' };
  const login = await fetch(`${base}/api/session`, {
    method: 'POST',
    headers: type,
    body: JSON.stringify({ username: name, password }),
  });
  const shown = (await login.json()) as { csrf: string; features: Record<string, boolean> };
  const headers = {
    ...type,
    cookie: login.headers.get('set-cookie')!.split(';')[0]!,
    'x-csrf-token': shown.csrf,
  };
  const ask = async (method: string, path: string, body?: object, more: Record<string, string> = {}) => {
    const answer = await fetch(base + path, {
      method,
      headers: { ...headers, ...more },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: answer.status, body: (await answer.json()) as unknown };
  };
  return { features: shown.features, ask };
}

const QUERY = { request: '', tenant: '', level: '', service: '', text: '', before: '' };

it('shows log and metrics to administrators', async () => {
  await start(beside);
  const { ask, features } = await person(ADMIN);
  expect(features).toEqual({ trace: false, logs: true, metrics: true });
  const found = await ask('POST', '/api/logs', {
    ...QUERY,
    request: ' req-1 ',
    level: 'warn',
    text: 'looked-for',
    before: '1:3',
  });
  expect(found).toEqual({ status: 200, body: { lines: [LINE], before: '1:2' } });
  expect(searched[0]!.query).toEqual({ request: 'req-1', level: 'warn', text: 'looked-for', before: '1:3' });
  expect(await ask('GET', '/api/metrics')).toEqual({
    status: 200,
    body: { everyMs: 10, until: 20, plots: [], boots: [] },
  });
  // A search must not find itself.
  expect(lines.join()).not.toContain('looked-for');
});

it('refuses a search that is none, and one of another page', async () => {
  await start(beside);
  const { ask } = await person(ADMIN);
  for (const body of [
    {},
    { ...QUERY, level: 'loud' },
    { ...QUERY, text: 5 },
    { ...QUERY, text: 'x'.repeat(5000) },
  ])
    expect((await ask('POST', '/api/logs', body)).status).toBe(400);
  expect((await ask('POST', '/api/logs', QUERY, { 'x-csrf-token': 'other' })).status).toBe(403);
  expect((await ask('POST', '/api/logs', QUERY, { cookie: 'none' })).status).toBe(401);
  expect(searched).toEqual([]);
});

it('tells others nothing, and does not offer it', async () => {
  await start(beside);
  const { ask, features } = await person(USER);
  expect(features).toEqual({ trace: false, logs: false, metrics: false });
  for (const [method, path, body] of [
    ['POST', '/api/logs', QUERY],
    ['GET', '/api/metrics', undefined],
  ] as const)
    expect(await ask(method, path, body)).toMatchObject({
      status: 403,
      body: { error: { name: 'AdminsOnly' } },
    });
  expect(searched).toEqual([]);
});

it('has neither where it runs apart from its cloud', async () => {
  await start({});
  const { ask, features } = await person(ADMIN);
  expect(features).toEqual({ trace: false, logs: false, metrics: false });
  expect((await ask('POST', '/api/logs', QUERY)).status).toBe(404);
  expect((await ask('GET', '/api/metrics')).status).toBe(404);
});
