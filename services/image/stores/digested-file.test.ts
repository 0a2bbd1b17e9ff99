import { createHash, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { tempDir } from '@folsom/testing';
import { afterAll, describe, expect, it } from 'vitest';
import { createDigestedFile } from './digested-file.ts';

const MIB = 1024 * 1024;
const place = tempDir('digested-file');
afterAll(() => place.remove());

const data = randomBytes(6 * MIB + 3);
const md5 = (bytes: Buffer) => createHash('md5').update(bytes).digest('hex');

let files = 0;
const write = async (chunks: readonly Buffer[], size: number | null) => {
  files += 1;
  const path = join(place.path, String(files));
  const file = await createDigestedFile(path, size);
  for (const chunk of chunks) {
    const mine = Buffer.from(chunk);
    await file.write(mine);
    // Ours again: what is written must have been copied.
    mine.fill(0);
  }
  const result = await file.finish();
  await file.close();
  return { ...result, bytes: await readFile(path) };
};

/** The data in pieces of these sizes, the last repeated. */
const cut = (bytes: Buffer, sizes: readonly number[]): Buffer[] => {
  const out: Buffer[] = [];
  for (let at = 0; at < bytes.byteLength; ) {
    const size = sizes[Math.min(out.length, sizes.length - 1)]!;
    out.push(bytes.subarray(at, at + size));
    at += size;
  }
  return out;
};

describe('a digested file', () => {
  it.each([
    ['in chunks as a connection gives them', data, [65_444, 65_536]],
    ['in chunks that do not fit its slots', data, [1, MIB - 2, 3 * MIB + 7, 999_983]],
    ['in one chunk', data, [data.byteLength]],
    ['that ends with a slot', data.subarray(0, 5 * MIB), [MIB]],
    ['smaller than a slot', data.subarray(0, 1000), [7]],
    ['of nothing', data.subarray(0, 0), [1]],
  ])('holds and digests what it was given, %s', async (_how, bytes, sizes) => {
    for (const size of [bytes.byteLength, null]) {
      const written = await write(cut(bytes, sizes), size);
      expect(written.size).toBe(bytes.byteLength);
      expect(written.checksum).toBe(md5(bytes));
      expect(written.bytes.equals(bytes)).toBe(true);
    }
  });

  it('takes no file that is there already', async () => {
    const path = join(place.path, 'there');
    await (await createDigestedFile(path, 1)).close();
    await expect(createDigestedFile(path, 1)).rejects.toMatchObject({ code: 'EEXIST' });
  });

  it('may be given up in the middle', async () => {
    const file = await createDigestedFile(join(place.path, 'half'), null);
    await file.write(data.subarray(0, 3 * MIB));
    await file.close();
    await expect(file.write(data)).rejects.toThrow();
  });
});
