import { hash } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BodyStream, intoMemory } from '@folsom/swift-http';
import { afterAll, expect, it } from 'vitest';
import { type BodyTarget, md5Of, writeBody } from './large-body.ts';

const folder = mkdtempSync(join(tmpdir(), 'large-body-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A body that comes in pieces of a length. */
function bodyIn(bytes: Buffer, length: number): BodyStream {
  let at = 0;
  return {
    read: async () => {
      const piece = bytes.subarray(at, at + length);
      at += length;
      return piece.length > 0 ? piece : null;
    },
    cancel: () => {},
  };
}

it.each([
  [0, 10],
  [5, 10],
  [3_000_001, 65_536],
  [3_000_001, 700_000],
])('writes %i bytes that come in pieces of %i, synced on the way', async (length, piece) => {
  const bytes = Buffer.alloc(length, 'abcdefghijk');
  const source = bodyIn(bytes, piece);
  const path = join(folder, `${length}-${piece}`);
  const fd = openSync(path, 'w');
  try {
    const written = await writeBody([{ fd, failed: null }], intoMemory(source), {
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
    if (left-- > 0) return 65_536;
    throw new Error('gone');
  };
  await expect(
    writeBody([{ fd, failed: null }], breaking, { bytesPerSync: 0, md5: md5Of(null) }),
  ).rejects.toThrow('gone');
  closeSync(fd);
  const readOnly = openSync(path, 'r');
  left = 20;
  await expect(
    writeBody([{ fd: readOnly, failed: null }], async () => (left-- > 0 ? 65_536 : 0), {
      bytesPerSync: 0,
      md5: md5Of(null),
    }),
  ).rejects.toMatchObject({
    code: 'EBADF',
  });
  closeSync(readOnly);
});

it('a file that fails is left alone while there are others', async () => {
  const [good, bad] = [join(folder, 'good'), join(folder, 'bad')];
  writeFileSync(bad, '');
  const targets = [good, bad].map(
    (path, i): BodyTarget => ({ fd: openSync(path, i ? 'r' : 'w'), failed: null }),
  );
  const bytes = Buffer.alloc(1_500_000, 'abc');
  const written = await writeBody(targets, intoMemory(bodyIn(bytes, 65_536)), {
    bytesPerSync: 600_000,
    md5: md5Of(null),
  });
  expect(written.etag).toBe(hash('md5', bytes, 'hex'));
  expect(targets.map(({ failed }) => failed && (failed.error as NodeJS.ErrnoException).code)).toEqual([
    null,
    'EBADF',
  ]);
  expect(readFileSync(good).equals(bytes)).toBe(true);
  for (const { fd } of targets) closeSync(fd);
});
