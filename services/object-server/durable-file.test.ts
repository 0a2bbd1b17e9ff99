import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seededRandom } from '@folsom/core';
import { afterEach, expect, it } from 'vitest';
import { commit, discard, newFile } from './durable-file.ts';

const random = seededRandom(3);
const made: string[] = [];

afterEach(() => {
  for (const folder of made.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function device(): string {
  const folder = mkdtempSync(join(tmpdir(), 'device-'));
  made.push(folder);
  mkdirSync(join(folder, 'tmp'));
  return folder;
}

async function put(root: string, path: string, text: string, directoryThere?: boolean): Promise<void> {
  const file = newFile(root, random);
  try {
    writeSync(file.fd, text);
    await commit(file, join(root, path), {
      device: root,
      random,
      ...(directoryThere === undefined ? {} : { directoryThere }),
    });
  } finally {
    discard(file);
  }
}

it('names many files side by side, in directories old and new', async () => {
  const root = device();
  await put(root, 'objects/1/abc/0/1.data', 'first');
  const names = Array.from({ length: 60 }, (_, i) => `objects/${i % 3}/abc/${i % 7}/${i + 2}.data`);
  await Promise.all(names.map((name, i) => put(root, name, `text ${i}`, i % 2 ? false : undefined)));
  names.forEach((name, i) => {
    expect(readFileSync(join(root, name), 'utf8')).toBe(`text ${i}`);
  });
});

it('replaces a file of the same name', async () => {
  const root = device();
  await put(root, 'a/1.data', 'old', false);
  await put(root, 'a/1.data', 'new');
  expect(readFileSync(join(root, 'a/1.data'), 'utf8')).toBe('new');
});

it('fails alone when a directory cannot be made, and makes nothing on another file system', async () => {
  const root = device();
  await put(root, 'plain', 'a file');
  const results = await Promise.allSettled([
    put(root, 'plain/1.data', 'x'),
    put(root, 'b/1.data', 'y', false),
  ]);
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
  const other = mkdtempSync('/dev/shm/device-');
  made.push(other);
  const file = newFile(root, random);
  await expect(
    commit(file, join(other, 'c/1.data'), { device: other, random, directoryThere: false }),
  ).rejects.toMatchObject({ code: 'ENODEV' });
  discard(file);
  expect(existsSync(join(other, 'c'))).toBe(false);
});
