import { randomBytes } from 'node:crypto';
import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { tempDir } from '@folsom/testing';
import { afterAll, describe, expect, it } from 'vitest';
import { fileStream, freeChunk } from './chunks.ts';

const place = tempDir('chunks');
afterAll(() => place.remove());
const DATA = randomBytes(5 * 1024 * 1024 + 3);
const path = join(place.path, 'data');

describe('the contents of a file', () => {
  it.each([DATA.byteLength, 3 * 1024 * 1024, 7, 0])('come in order and whole, %i bytes', async size => {
    await writeFile(path, DATA.subarray(0, size));
    const file = await open(path);
    const chunks: Buffer[] = [];
    for await (const chunk of fileStream(file, size)) chunks.push(chunk as Buffer);
    expect(Buffer.concat(chunks).equals(DATA.subarray(0, size))).toBe(true);
    await expect.poll(() => file.fd).toBe(-1);
  });

  it('end where the file ends, though it was longer', async () => {
    await writeFile(path, DATA.subarray(0, 10));
    const chunks: Buffer[] = [];
    for await (const chunk of fileStream(await open(path), 3 * 1024 * 1024)) chunks.push(chunk as Buffer);
    expect(Buffer.concat(chunks).byteLength).toBe(10);
  });

  it('are given up in the middle without a descriptor left open', async () => {
    await writeFile(path, DATA);
    const file = await open(path);
    const stream = fileStream(file, DATA.byteLength);
    for await (const _ of stream) break;
    await expect.poll(() => file.fd).toBe(-1);
    const unread = await open(path);
    fileStream(unread, DATA.byteLength).destroy();
    await expect.poll(() => unread.fd).toBe(-1);
  });

  it('may be freed chunk by chunk, and come in the memory of those, while chunks of other streams are left alone', async () => {
    const size = 20 * 1024 * 1024;
    await writeFile(path, Buffer.alloc(size, DATA));
    const stream = fileStream(await open(path), size);
    const memory = new Set<ArrayBufferLike>();
    const parts: Buffer[] = [];
    let last: Buffer | null = null;
    for await (const part of stream) {
      if (last) freeChunk(stream, last);
      last = part as Buffer;
      memory.add(last.buffer);
      parts.push(Buffer.from(last));
    }
    expect(Buffer.concat(parts).equals(Buffer.alloc(size, DATA))).toBe(true);
    expect(memory.size).toBeLessThan(12);
    // At the end all of it goes, also what is freed later.
    await expect.poll(() => stream.closed).toBe(true);
    freeChunk(stream, last as unknown as Buffer);
    expect([...memory].map(({ byteLength }) => byteLength)).toEqual([...memory].map(() => 0));
    const mine = Buffer.alloc(70_000, 1);
    freeChunk(Readable.from([mine]), mine);
    expect(mine.byteLength).toBe(70_000);
  });
});
