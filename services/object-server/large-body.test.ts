import { hash } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { md5Of, writeBody } from './large-body.ts';

const folder = mkdtempSync(join(tmpdir(), 'large-body-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function* pieces(bytes: Buffer, length: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}

it.each([
  [0, 10],
  [5, 10],
  [3_000_001, 65_536],
  [3_000_001, 700_000],
])('writes %i bytes that come in pieces of %i, synced on the way', async (length, piece) => {
  const bytes = Buffer.alloc(length, 'abcdefghijk');
  const source = pieces(bytes, piece);
  const path = join(folder, `${length}-${piece}`);
  const fd = openSync(path, 'w');
  try {
    const written = await writeBody(fd, async () => (await source.next()).value ?? null, {
      bytesPerSync: 1_000_000,
      md5: md5Of(null),
    });
    expect(written).toEqual({ size: length, etag: hash('md5', bytes, 'hex') });
  } finally {
    closeSync(fd);
  }
  expect(readFileSync(path).equals(bytes)).toBe(true);
});

it('fails as its source or its file fails, with nothing under way any more', async () => {
  const path = join(folder, 'failing');
  const fd = openSync(path, 'w');
  let left = 20;
  const breaking = async () => {
    if (left-- > 0) return Buffer.alloc(65_536);
    throw new Error('gone');
  };
  await expect(writeBody(fd, breaking, { bytesPerSync: 0, md5: md5Of(null) })).rejects.toThrow('gone');
  closeSync(fd);
  const readOnly = openSync(path, 'r');
  left = 20;
  await expect(
    writeBody(readOnly, async () => (left-- > 0 ? Buffer.alloc(65_536) : null), {
      bytesPerSync: 0,
      md5: md5Of(null),
    }),
  ).rejects.toMatchObject({
    code: 'EBADF',
  });
  closeSync(readOnly);
});
