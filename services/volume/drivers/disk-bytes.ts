import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { novaFault } from '@folsom/nova/faults';
import { type Disk, GIB } from '../driver.ts';

const ZEROS = Buffer.alloc(1024 * 1024);

const isZero = (chunk: Buffer): boolean => {
  for (let at = 0; at < chunk.length; at += ZEROS.length) {
    const part = chunk.subarray(at, at + ZEROS.length);
    if (!part.equals(ZEROS.subarray(0, part.length))) return false;
  }
  return true;
};

/**
 * Writes a stream onto a file or device from its beginning, and has the disk keep it. `sparse`: what reads as zeros
 * already, or held the same bytes before, so that zeros need not be written.
 *
 * @throws Fault `InvalidVolume` for more bytes than the disk has
 */
export async function writeDisk(
  path: string,
  disk: Disk,
  data: Readable,
  options: { sparse: boolean; signal?: AbortSignal },
): Promise<void> {
  const file = await open(path, 'r+');
  try {
    let at = 0;
    for await (const chunk of data as AsyncIterable<Buffer>) {
      options.signal?.throwIfAborted();
      if (at + chunk.length > disk.size * GIB)
        throw novaFault('InvalidVolume', { reason: 'the image is larger than the volume' });
      if (!options.sparse || !isZero(chunk)) await writeWhole(file, chunk, at);
      at += chunk.length;
    }
    await file.datasync();
  } finally {
    await file.close();
    data.destroy();
  }
}

async function writeWhole(file: Awaited<ReturnType<typeof open>>, chunk: Buffer, from: number) {
  for (let done = 0; done < chunk.length; ) {
    const { bytesWritten } = await file.write(chunk, done, chunk.length - done, from + done);
    done += bytesWritten;
  }
}

/** All bytes of a file or device. */
export const readDisk = (path: string, disk: Disk): Readable =>
  createReadStream(path, { highWaterMark: 1024 * 1024, end: disk.size * GIB - 1 });
