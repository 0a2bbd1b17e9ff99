import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { seededRandom } from '@folsom/core';
import { writeMetadata } from '@folsom/swift/object-metadata';
import { afterAll, beforeEach, expect, it } from 'vitest';
import { openKnownObject } from './known-objects.ts';
import type { ObjectPlace } from './object-file.ts';

const device = mkdtempSync(join(tmpdir(), 'known-objects-'));
afterAll(() => rmSync(device, { recursive: true }));

const random = seededRandom(1);
/** Late enough for every change to have settled. */
const later = () => Date.now() + 60_000;
let place: ObjectPlace;
let count = 0;

beforeEach(() => {
  const hash = String(count++).padStart(32, '0');
  const directory = join(device, 'objects/1', hash.slice(-3), hash);
  mkdirSync(directory, { recursive: true });
  place = { device, partition: '1', hash, directory, name: '/a/c/o' };
});

function put(name: string, type: string, bytes = 'x'): void {
  const fd = openSync(join(place.directory, name), 'wx+');
  writeSync(fd, bytes);
  closeSync(fd);
  describeAs(name, type, bytes.length);
}

function describeAs(name: string, type: string, length = 1): void {
  const fd = openSync(join(place.directory, name), 'r+');
  writeMetadata(fd, {
    name: '/a/c/o',
    'Content-Type': type,
    ETag: 'e',
    'X-Timestamp': '1.0',
    'Content-Length': String(length),
  });
  closeSync(fd);
}

/** The type of what is found; the second of two looks is the one that may go by what is known. */
function look(now = later()): unknown {
  const found = openKnownObject(place, random, () => {}, now);
  if (found.state === 'gone') return 'gone';
  closeSync(found.object.fd);
  return found.object.metadata['Content-Type'];
}

/** Until the file system's clock has gone on, so that what is done from now on has another time. */
async function tick(): Promise<void> {
  const probe = join(device, 'probe');
  const timeOfChange = () => {
    writeFileSync(probe, '');
    return statSync(probe).ctimeMs;
  };
  for (const first = timeOfChange(); timeOfChange() === first; ) await nextTurn();
}

it('finds an object again, and what replaced it', async () => {
  put('1.data', 'one');
  expect([look(), look()]).toEqual(['one', 'one']);
  await tick();
  put('2.data', 'two');
  expect(look()).toBe('two');
  unlinkSync(join(place.directory, '1.data'));
  expect([look(), look()]).toEqual(['two', 'two']);
});

it('sees a tombstone, metadata that was posted, and a directory that went', async () => {
  put('1.data', 'one');
  expect([look(), look()]).toEqual(['one', 'one']);
  await tick();
  put('2.meta', 'posted');
  expect(look()).toBe('posted');
  put('3.ts', '');
  expect(look()).toBe('gone');
  put('4.data', 'four');
  for (const name of ['1.data', '2.meta', '3.ts']) unlinkSync(join(place.directory, name));
  expect([look(), look()]).toEqual(['four', 'four']);
  renameSync(place.directory, `${place.directory}-away`);
  expect(look()).toBe('gone');
});

it('reads metadata that was written anew in place, and sees a file that was swapped for another', async () => {
  put('1.data', 'one');
  expect([look(), look()]).toEqual(['one', 'one']);
  await tick();
  describeAs('1.data', 'changed');
  expect([look(), look()]).toEqual(['changed', 'changed']);
  await tick();
  unlinkSync(join(place.directory, '1.data'));
  put('1.data', 'other');
  expect(look()).toBe('other');
});

it('an object that changed just now is read anew each time', () => {
  put('1.data', 'one');
  const before = Date.now() - 60_000;
  expect([look(before), look(before)]).toEqual(['one', 'one']);
  // Maybe within one tick of the clock: nothing but what is in the file differs.
  describeAs('1.data', 'two');
  expect(look(before)).toBe('two');
});
