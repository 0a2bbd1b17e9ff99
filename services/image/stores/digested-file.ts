import { type FileHandle, open } from 'node:fs/promises';
import { must } from '@folsom/core';
import { directMd5, threadedMd5 } from '@folsom/host/md5-thread';
import { storeFault } from './store.ts';

/** Bytes that are digested and written at a time, and how many such slots a file has: its memory, whatever its size. */
const SLOT_BYTES = 1024 * 1024;
const SLOTS = 4;
/** What is written so far goes to the disk every so many bytes, so that the end waits for little. */
const FLUSH_EVERY_BYTES = 32 * 1024 * 1024;
/** Larger files are not kept in the page cache: they would push out everything else, and new pages cost more than the disk. */
const PAGE_CACHED_BYTES_MAX = 256 * 1024 * 1024;
const FILE_MODE = 0o640;

/** A new file that is digested while it is written. Nothing is called before the call before it has resolved. */
export interface DigestedFile {
  /** Takes a chunk, whose memory is the caller's again when this resolves: as soon as there is room. */
  write(chunk: Buffer): Promise<void>;
  /** Resolves when the bytes are on the disk, to their number and MD5. */
  finish(): Promise<{ size: number; checksum: string }>;
  /** Ends it, finished or not. */
  close(): Promise<void>;
}

interface Slot {
  memory: SharedArrayBuffer;
  bytes: Buffer;
  used: number;
  /** Settles when the slot may be filled again. */
  free: Promise<unknown>;
}

/**
 * Creates the file, which must not exist. Receiving, digesting (in its own thread), writing and flushing overlap; what is held
 * in memory does not grow with the file.
 *
 * @param size bytes to come, or null when unknown
 */
export async function createDigestedFile(path: string, size: number | null): Promise<DigestedFile> {
  const small = size !== null && size <= SLOT_BYTES;
  const slotBytes = small ? Math.max(1, size) : SLOT_BYTES;
  const file = await open(path, 'wx', FILE_MODE);
  const digest = small ? directMd5() : threadedMd5();
  const disk = orderedWriter(file, size);
  const slots: Slot[] = [];
  let current = 0;
  let total = 0;
  let finished = false;

  const take = async (): Promise<Slot> => {
    let slot = slots[current];
    if (!slot) {
      const memory = new SharedArrayBuffer(slotBytes);
      slot = { memory, bytes: Buffer.from(memory), used: 0, free: Promise.resolve() };
      slots[current] = slot;
    }
    if (slot.used === slotBytes) {
      await slot.free;
      slot.used = 0;
    }
    return slot;
  };
  const pass = (slot: Slot) => {
    slot.free = Promise.all([
      digest.update(slot.memory, slot.used),
      disk.write(slot.bytes.subarray(0, slot.used)),
    ]);
    slot.free.catch(() => {});
    current = (current + 1) % SLOTS;
  };

  return {
    write: async chunk => {
      for (let done = 0; done < chunk.byteLength; ) {
        const slot = await take();
        const copied = chunk.copy(slot.bytes, slot.used, done);
        slot.used += copied;
        done += copied;
        if (slot.used === slotBytes) pass(slot);
      }
      total += chunk.byteLength;
    },
    finish: async () => {
      const last = slots[current];
      if (last && last.used > 0 && last.used < slotBytes) pass(last);
      await Promise.all(slots.map(slot => slot.free));
      await disk.finish();
      finished = true;
      return { size: total, checksum: await digest.finish() };
    },
    close: async () => {
      // A write in flight must not meet a closed file.
      await Promise.allSettled([...slots.map(slot => slot.free), disk.settled()]);
      await file.close();
      if (!finished) digest.drop();
    },
  };
}

interface OrderedWriter {
  /** Writes behind what was given before; resolves when the memory may change. */
  write(bytes: Buffer): Promise<void>;
  /** Resolves when everything is on the disk. */
  finish(): Promise<void>;
  /** Resolves when nothing is done with the file any more, whatever became of it. */
  settled(): Promise<unknown>;
}

/**
 * Writes with one call at a time, since several would only wait for the file's lock: whatever has come meanwhile goes with the
 * next one. Flushes beside that.
 */
function orderedWriter(file: FileHandle, size: number | null): OrderedWriter {
  let position = 0;
  let flushed = 0;
  let waiting: Buffer[] = [];
  let writing: Promise<void> = Promise.resolve();
  let flushing: Promise<void> = Promise.resolve();
  const flush = async (from: number, to: number) => {
    await file.datasync();
    if ((size ?? to) <= PAGE_CACHED_BYTES_MAX) return;
    const { dropCache } = await import('@folsom/host/xattr');
    dropCache(file.fd, from, to - from);
  };
  const writeWaiting = async () => {
    let batch = waiting;
    waiting = [];
    while (batch.length > 0) {
      let { bytesWritten } = await file.writev(batch, position);
      if (bytesWritten === 0) throw storeFault('StorageFull');
      position += bytesWritten;
      while (batch[0] && bytesWritten >= batch[0].byteLength)
        bytesWritten -= must(batch.shift(), 'batch is not empty').byteLength;
      if (batch[0]) batch = [batch[0].subarray(bytesWritten), ...batch.slice(1)];
    }
    if (position - flushed < FLUSH_EVERY_BYTES) return;
    await flushing;
    flushing = flush(flushed, position);
    flushing.catch(() => {});
    flushed = position;
  };
  return {
    write: bytes => {
      waiting.push(bytes);
      // The first of those that wait writes for all of them; the others find nothing to do.
      writing = writing.then(writeWaiting);
      return writing;
    },
    finish: async () => {
      await writing;
      await flushing;
      await file.sync();
    },
    settled: () => Promise.allSettled([writing, flushing]),
  };
}
