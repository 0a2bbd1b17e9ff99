import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDatabase } from '@folsom/db';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { backup, restore } from './backup.ts';
import { layoutOf } from './layout.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'folsom-backup-'));
});
afterAll(() => rm(dir, { recursive: true }));

const at = (...path: string[]) => join(dir, ...path);
const silent = () => {};

it('takes the files, each database whole with what it has yet to take over, and nothing of a process', async () => {
  const layout = layoutOf(at('var'));
  const node = at('var', 'swift', 'node');
  for (const folder of [node, at('var', 'log'), layout.instances]) await mkdir(folder, { recursive: true });
  await writeFile(layout.secrets, '{}', { mode: 0o600 });
  await writeFile(layout.log, 'a line');
  await writeFile(layout.running, '{"pid":1,"started":"of another boot"}');
  await writeFile(join(layout.instances, 'disk'), 'of a guest');
  await writeFile(join(node, 'o.data'), 'object');
  await writeFile(join(node, 'c.db.pending'), ':rows');
  const db = await openDatabase({ connection: `sqlite:///${join(node, 'c.db')}` });
  try {
    await db.knex.raw('CREATE TABLE object (name TEXT)');
    await db.knex('object').insert({ name: 'o' });
    // Still open, and most of it in its log.
    expect(await backup(layout, at('saved'), { disks: false, now: 0 }, silent)).toBe(0);
  } finally {
    await db.close();
  }
  const there = (path: string) =>
    stat(at('saved', path)).then(
      () => true,
      () => false,
    );
  expect(await readFile(at('saved', 'swift', 'node', 'o.data'), 'utf8')).toBe('object');
  expect(await readFile(at('saved', 'swift', 'node', 'c.db.pending'), 'utf8')).toBe(':rows');
  for (const path of ['log', 'running.json', 'nova/instances', 'swift/node/c.db-wal', 'swift/node/c.db-shm'])
    expect([path, await there(path)]).toEqual([path, false]);

  const back = layoutOf(at('back'));
  expect(await restore(at('saved'), back, silent)).toBe(0);
  const copy = await openDatabase({ connection: `sqlite:///${at('back', 'swift', 'node', 'c.db')}` });
  expect(await copy.knex('object').pluck('name')).toEqual(['o']);
  await copy.close();
  expect((await stat(back.secrets)).mode & 0o777).toBe(0o600);
});

it('refuses what would overwrite, be incomplete or is damaged', async () => {
  const layout = layoutOf(at('var'));
  const made = { disks: false, now: 0 };
  await expect(backup(layoutOf(at('none')), at('x'), made, silent)).rejects.toThrow(
    /not the state directory/,
  );
  await expect(backup(layout, at('saved'), made, silent)).rejects.toThrow(/is not empty/);
  await expect(backup(layout, at('var', 'inside'), made, silent)).rejects.toThrow(
    /lies in the state directory/,
  );
  await expect(restore(at('saved'), layout, silent)).rejects.toThrow(/is not empty/);
  await writeFile(
    at('saved', 'swift', 'node', 'c.db'),
    'no database at all, though long enough to be looked at',
  );
  await expect(restore(at('saved'), layoutOf(at('elsewhere')), silent)).rejects.toThrow();
  await expect(stat(at('elsewhere'))).rejects.toThrow('ENOENT');
});
