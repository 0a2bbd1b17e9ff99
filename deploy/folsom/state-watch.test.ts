import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, systemClock } from '@folsom/core';
import { afterAll, expect, it } from 'vitest';
import { watchState } from './state-watch.ts';

const dir = mkdtempSync(join(tmpdir(), 'folsom-state-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const db = (name: string) => join(dir, `${name}.sqlite`);
const quick: Clock = { ...systemClock, every: (_ms, fn) => systemClock.every(5, fn) };

it.each<[string, () => void]>([
  ['deleted', () => rmSync(db('nova'))],
  [
    'put in the place of another',
    () => {
      writeFileSync(db('new'), 'another');
      renameSync(db('new'), db('nova'));
    },
  ],
])('a database that is %s is noticed', async (_what, change) => {
  for (const name of ['keystone', 'glance', 'nova']) writeFileSync(db(name), name);
  const watch = await watchState({ db }, quick);
  let told = '';
  void watch.gone.then(path => {
    told = path;
  });
  writeFileSync(db('nova'), 'more', { flag: 'a' });
  await new Promise(resolve => setTimeout(resolve, 50));
  expect(told).toBe('');
  change();
  expect(await watch.gone).toBe(db('nova'));
  watch.stop();
});

it('a database that went before anybody looked is gone', async () => {
  for (const name of ['keystone', 'nova']) writeFileSync(db(name), name);
  rmSync(db('glance'), { force: true });
  const watch = await watchState({ db }, quick);
  expect(await watch.gone).toBe(db('glance'));
  watch.stop();
});
