import { fdatasync, write } from 'node:fs';
import { promisify } from 'node:util';
import { must } from '@folsom/core';
import { type Digest, directMd5, threadedMd5 } from '@folsom/host/md5-thread';
import { dropCache } from '@folsom/host/xattr';
import { lendSlab, releaseSlab, SLAB_BYTES, type Slab, takeSlab } from '@folsom/swift-http';

const writePart = promisify(write) as (
  fd: number,
  bytes: Buffer,
  offset: number,
  length: number,
  position: number,
) => Promise<{ bytesWritten: number }>;
const syncData = promisify(fdatasync);

/** What the bytes of an upload came to. */
export interface Written {
  size: number;
  /** MD5 in hexadecimal. */
  etag: string;
}

/** A file that a body goes to. */
export interface BodyTarget {
  readonly fd: number;
  /** Why nothing is written to it any more. */
  failed: { error: unknown } | null;
}

/** How a body is written. */
export interface BodyWriting {
  /** What is written so far goes to the disk, and out of the page cache, every so many bytes; 0: never. */
  bytesPerSync: number;
  /** Makes its sum. */
  md5: Digest;
}

/** A digest for a body of a length, if that is known: for less than a batch no thread is asked. */
export const md5Of = (length: number | null): Digest =>
  length !== null && length <= SLAB_BYTES ? directMd5() : threadedMd5();

/**
 * Writes a body of any length to files from their start. The bytes are gathered in shared memory; threads write and
 * digest one batch while the next arrives, so that the loop, which serves all other requests, does no more than copy.
 * Each upload has two batches in memory at most. It fails when all of its files have.
 * @param next puts the next bytes, as many as it has, into the memory given; 0 at the end
 */
export async function writeBody(
  targets: readonly BodyTarget[],
  next: (target: Buffer) => Promise<number>,
  { bytesPerSync, md5 }: BodyWriting,
): Promise<Written> {
  let size = 0;
  let synced = 0;
  let slab: Slab | null = null;
  let filled = 0;
  let passing: Promise<void> = Promise.resolve();
  let syncing: Promise<void> = Promise.resolve();
  const pass = async (): Promise<void> => {
    const [full, bytes, from] = [must(slab, 'slab is there'), filled, size - filled];
    slab = null;
    filled = 0;
    await passing;
    passing = passOn(targets, md5, full, bytes, from);
    passing.catch(() => {});
    if (bytesPerSync <= 0 || size - synced < bytesPerSync) return;
    await Promise.all([passing, syncing]);
    const [begin, end] = [synced, size];
    syncing = toEach(targets, async ({ fd }) => {
      await syncData(fd);
      dropCache(fd, begin, end - begin);
    });
    syncing.catch(() => {});
    synced = size;
  };
  let done = false;
  try {
    for (;;) {
      slab ??= takeSlab();
      const came = await next(slab.bytes.subarray(filled));
      if (came === 0) break;
      filled += came;
      size += came;
      if (filled === SLAB_BYTES) await pass();
    }
    if (filled > 0) await pass();
    await Promise.all([passing, syncing]);
    done = true;
    return { size, etag: await md5.finish() };
  } finally {
    // The descriptor must outlive what is being done with it.
    await Promise.allSettled([passing, syncing]);
    if (!done) md5.drop();
    if (slab) releaseSlab(lendSlab(slab, SLAB_BYTES));
  }
}

/** Writes and digests a batch, side by side; its memory is free again when both are through. */
async function passOn(
  targets: readonly BodyTarget[],
  md5: Digest,
  slab: Slab,
  length: number,
  from: number,
): Promise<void> {
  const lent = lendSlab(slab, SLAB_BYTES);
  const both = [
    toEach(targets, ({ fd }) => writeAll(fd, slab.bytes, length, from)),
    md5.update(slab.memory, length),
  ];
  const ends = await Promise.allSettled(both);
  releaseSlab(lent);
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}

/** Does something with every file that has not failed yet. */
async function toEach(
  targets: readonly BodyTarget[],
  work: (target: BodyTarget) => Promise<void>,
): Promise<void> {
  await Promise.all(
    targets.map(async target => {
      if (target.failed) return;
      try {
        await work(target);
      } catch (error) {
        target.failed ??= { error };
      }
    }),
  );
  const [first] = targets;
  if (first?.failed && targets.every(({ failed }) => failed)) throw first.failed.error;
}

async function writeAll(fd: number, bytes: Buffer, length: number, from: number): Promise<void> {
  for (let at = 0; at < length; ) {
    const { bytesWritten } = await writePart(fd, bytes, at, length - at, from + at);
    at += bytesWritten;
  }
}
