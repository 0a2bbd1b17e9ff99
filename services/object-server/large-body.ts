import { createHash } from 'node:crypto';
import { fdatasync, writev } from 'node:fs';
import { promisify } from 'node:util';
import { dropCache } from '@folsom/host/xattr';

const writeParts = promisify(writev) as (
  fd: number,
  parts: Buffer[],
  position: number,
) => Promise<{ bytesWritten: number }>;
const syncData = promisify(fdatasync);

/** Bytes are written in batches of about this. */
const BATCH_BYTES = 524_288;

/** What the bytes of an upload came to. */
export interface Written {
  size: number;
  /** MD5 in hexadecimal. */
  etag: string;
}

/**
 * Writes a body of any length to a file from its start. The sum is made here, of each piece while it is in the
 * processor's cache: another thread would have to be given a copy, which costs more than it spares. The disk works
 * meanwhile, with two batches in memory at most.
 * @param next the next bytes, which must not change any more; null at the end
 * @param bytesPerSync what is written so far goes to the disk, and out of the page cache, every so many bytes; 0: never
 */
export async function writeBody(
  fd: number,
  next: () => Promise<Buffer | null>,
  bytesPerSync: number,
): Promise<Written> {
  const md5 = createHash('md5');
  let size = 0;
  let gathered: Buffer[] = [];
  let gatheredBytes = 0;
  let passed = 0;
  let synced = 0;
  let writing: Promise<void> = Promise.resolve();
  let syncing: Promise<void> = Promise.resolve();
  const pass = async (): Promise<void> => {
    await writing;
    writing = writeAll(fd, gathered, passed);
    writing.catch(() => {});
    passed += gatheredBytes;
    gathered = [];
    gatheredBytes = 0;
    if (bytesPerSync <= 0 || passed - synced < bytesPerSync) return;
    await Promise.all([writing, syncing]);
    const [from, to] = [synced, passed];
    syncing = syncData(fd).then(() => dropCache(fd, from, to - from));
    syncing.catch(() => {});
    synced = passed;
  };
  try {
    for (let chunk = await next(); chunk; chunk = await next()) {
      md5.update(chunk);
      gathered.push(chunk);
      gatheredBytes += chunk.length;
      size += chunk.length;
      if (gatheredBytes >= BATCH_BYTES) await pass();
    }
    if (gatheredBytes > 0) await pass();
    await Promise.all([writing, syncing]);
  } finally {
    // The descriptor must outlive what is being done with it.
    await Promise.allSettled([writing, syncing]);
  }
  return { size, etag: md5.digest('hex') };
}

async function writeAll(fd: number, parts: Buffer[], from: number): Promise<void> {
  let left = parts;
  let position = from;
  while (left.length > 0) {
    let { bytesWritten } = await writeParts(fd, left, position);
    position += bytesWritten;
    const next: Buffer[] = [];
    for (const part of left) {
      if (bytesWritten >= part.length) bytesWritten -= part.length;
      else {
        next.push(part.subarray(bytesWritten));
        bytesWritten = 0;
      }
    }
    left = next;
  }
}
