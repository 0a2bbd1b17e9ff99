import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { searchLog } from './log-search.ts';

const dir = mkdtempSync(join(tmpdir(), 'folsom-log-search-'));
afterAll(() => rmSync(dir, { recursive: true }));
const log = join(dir, 'folsom.log');

const line = (n: number, more: object = {}) =>
  `${JSON.stringify({ time: `t${n}`, level: 'info', service: 'nova-api', message: `m${n} ${'x'.repeat(n % 700)}`, ...more })}\n`;
const many = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, at) => line(from + at)).join('');
const times = (found: { lines: { time: string }[] }) => found.lines.map(({ time }) => time);

it('finds what is asked for, the latest first, and nothing that only looks like it', async () => {
  writeFileSync(
    log,
    line(1, { requestId: 'req-1', tenant: 'a', method: 'GET', path: '/x', status: 200, message: 'request' }) +
      line(2, { requestId: 'req-2', message: 'of req-1, "level":"error"' }) +
      line(3, { level: 'error', service: 'keystone', message: 'say "No"' }) +
      line(4, { level: 'warn', tenant: 'b', message: 'about tenant a' }) +
      'no JSON of req-1\n"text"\nnull\n{"time":"half',
  );
  const find = async (filter: object) => times(await searchLog(log, filter));
  expect(await find({})).toEqual(['t4', 't3', 't2', 't1']);
  expect(await find({ request: 'req-1' })).toEqual(['t1']);
  expect(await find({ tenant: 'a' })).toEqual(['t1']);
  expect(await find({ level: 'warn' })).toEqual(['t4', 't3']);
  expect(await find({ level: 'error' })).toEqual(['t3']);
  expect(await find({ service: 'keystone' })).toEqual(['t3']);
  expect(await find({ text: 'SAY "no"' })).toEqual(['t3']);
  expect(await find({ text: 'get /X -> 200' })).toEqual(['t1']);
  expect(await find({ text: 'nowhere' })).toEqual([]);
  expect((await searchLog(log, { request: 'req-1' })).lines).toEqual([
    {
      time: 't1',
      level: 'info',
      service: 'nova-api',
      requestId: 'req-1',
      tenant: 'a',
      what: 'GET /x -> 200',
    },
  ]);
});

it('goes on where it ended, through the predecessor, and each line comes once', async () => {
  writeFileSync(`${log}.1`, many(0, 500));
  writeFileSync(log, many(500, 1000));
  const all: string[] = [];
  let before: string | undefined;
  let pages = 0;
  do {
    const found = await searchLog(log, { before }, undefined, { lines: 90, bytes: 50_000 });
    expect(found.lines.length).toBeLessThanOrEqual(90);
    all.push(...times(found));
    before = found.before ?? undefined;
    // The log grows, and is renamed, under the reader.
    if (++pages === 3) writeFileSync(log, line(1000), { flag: 'a' });
  } while (before !== undefined);
  expect(all).toEqual(Array.from({ length: 1000 }, (_, at) => `t${999 - at}`));
  expect(pages).toBeGreaterThan(6);

  const first = await searchLog(log, {}, undefined, { lines: 10, bytes: 50_000 });
  renameSync(log, `${log}.1`);
  writeFileSync(log, line(1001));
  expect(times(await searchLog(log, { before: first.before! })).slice(0, 2)).toEqual(['t990', 't989']);
});

it('bears a place that is gone, a log that is not there, a line without an end, and being called off', async () => {
  expect(await searchLog(log, { before: '1:5' })).toEqual({ lines: [], before: null });
  expect(await searchLog(join(dir, 'none'), {})).toEqual({ lines: [], before: null });
  writeFileSync(log, `${line(1)}${'y'.repeat(3 * 1024 * 1024)}\n${line(2)}`);
  expect(times(await searchLog(log, { service: 'nova-api' })).slice(0, 2)).toEqual(['t2', 't1']);
  await expect(searchLog(log, {}, AbortSignal.abort(new Error('gone')))).rejects.toThrow('gone');
});
