import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type LogsOptions, logs } from './logs.ts';

let dir: string;
const lines = [
  { level: 'debug', service: 'nova-api', requestId: 'req-1', tenant: 't1', message: 'a' },
  { level: 'info', service: 'nova-api', requestId: 'req-1', tenant: 't1', message: 'b' },
  { level: 'error', service: 'nova-compute', requestId: 'req-1', message: 'c' },
  { level: 'warn', service: 'keystone', requestId: 'req-2', tenant: 't2', message: 'of req-1' },
];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'folsom-logs-'));
  await writeFile(join(dir, 'log'), `${lines.map(line => JSON.stringify(line)).join('\n')}\nno JSON\n`);
});
afterAll(() => rm(dir, { recursive: true }));

const messages = async (options: Omit<LogsOptions, 'follow'>): Promise<string> => {
  let text = '';
  const out = new Writable({
    write: (chunk, _encoding, done) => {
      text += String(chunk);
      done();
    },
  });
  expect(await logs({ log: join(dir, 'log') }, { follow: false, ...options }, out)).toBe(0);
  return [...text.matchAll(/"message":"([^"]*)"/g)].map(([, message]) => message).join(',');
};

it('tells all, or what belongs to a request, a tenant, a service, from a level up', async () => {
  expect(await messages({})).toBe('a,b,c,of req-1');
  expect(await messages({ request: 'req-1' })).toBe('a,b,c');
  expect(await messages({ request: 'req-1', level: 'info' })).toBe('b,c');
  expect(await messages({ tenant: 't1' })).toBe('a,b');
  expect(await messages({ service: 'keystone' })).toBe('of req-1');
  expect(await messages({ level: 'warn' })).toBe('c,of req-1');
});
