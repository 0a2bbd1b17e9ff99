import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { dropCache, fallocate, getXattr, linkDescriptor, setXattr } from './xattr.ts';

const folder = mkdtempSync(join(tmpdir(), 'xattr-'));
afterAll(() => rmSync(folder, { recursive: true }));

it('keeps attributes on open files', () => {
  const fd = openSync(join(folder, 'a'), 'w+');
  try {
    expect(getXattr(fd, 'user.swift.metadata')).toBeNull();
    const bytes = Buffer.from([0, 1, 255, 0x80, 10]);
    setXattr(fd, 'user.swift.metadata', bytes);
    expect(getXattr(fd, 'user.swift.metadata')).toEqual(bytes);
    expect(() => setXattr(fd, 'no-namespace', bytes)).toThrow('EOPNOTSUPP');
  } finally {
    closeSync(fd);
  }
  expect(() => getXattr(-1, 'user.x')).toThrow('EBADF');
});

it('reserves room without changing the size, and says when there is none', () => {
  const fd = openSync(join(folder, 'b'), 'w+');
  try {
    fallocate(fd, 1 << 20);
    expect(statSync(join(folder, 'b')).size).toBe(0);
    expect(statSync(join(folder, 'b')).blocks).toBeGreaterThanOrEqual(2048);
    expect(() => fallocate(fd, 2 ** 60)).toThrow(/ENOSPC|E27/);
  } finally {
    closeSync(fd);
  }
});

it('names a nameless file once', () => {
  const fd = openSync(folder, constants.O_RDWR | constants.O_DIRECTORY | 0o20000000, 0o600);
  try {
    writeSync(fd, 'hello');
    linkDescriptor(fd, join(folder, 'named'));
    dropCache(fd, 0, 5);
    expect(readFileSync(join(folder, 'named'), 'utf8')).toBe('hello');
    expect(() => linkDescriptor(fd, join(folder, 'named'))).toThrow('EEXIST');
    expect(() => linkDescriptor(fd, join(folder, 'no', 'where'))).toThrow('ENOENT');
  } finally {
    closeSync(fd);
  }
});
