import { type FileHandle, open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { counted } from './digest.ts';
import { directMd5, threadedMd5 } from './md5-thread.ts';
import { storeFault } from './store.ts';

/** Bytes that are digested and written at a time, and how many such slots an upload has: its memory, whatever its size. */
const SLOT_BYTES = 1024 * 1024;
const SLOTS = 4;
/** What is written so far goes to the disk every so many bytes, so that the end of an upload waits for little. */
const FLUSH_EVERY_BYTES = 64 * 1024 * 1024;
const FILE_MODE = 0o640;

interface Slot {
  memory: SharedArrayBuffer;
  bytes: Buffer;
  used: number;
  /** Settles when the slot may be filled again. */
  free: Promise<unknown>;
}

/**
 * Writes a stream to a new file and digests it. Receiving, digesting (in its own thread), writing and flushing overlap; what
 * is held in memory does not grow with the stream. Resolves when the bytes are on the disk.
 */
export async function writeDurably(
  path: string,
  data: Readable,
  limits: { size: number | null; sizeMax: number; signal: AbortSignal },
): Promise<{ size: number; checksum: string }> {
  const small = limits.size !== null && limits.size <= SLOT_BYTES;
  const slotBytes = small ? Math.max(1, limits.size ?? 1) : SLOT_BYTES;
  const file = await open(path, 'wx', FILE_MODE);
  const digest = small ? directMd5() : threadedMd5();
  const slots: Slot[] = [];
  let flushing: Promise<unknown> = Promise.resolve();
  let finished = false;
  try {
    const source = counted(data, limits);
    let position = 0;
    let flushed = 0;
    let current = 0;
    const take = async (): Promise<Slot> => {
      let slot = slots[current];
      if (!slot) {
        const memory = new SharedArrayBuffer(slotBytes);
        slot = { memory, bytes: Buffer.from(memory), used: 0, free: Promise.resolve() };
        slots[current] = slot;
      }
      await slot.free;
      slot.used = 0;
      return slot;
    };
    const pass = async (slot: Slot) => {
      const at = position;
      position += slot.used;
      slot.free = Promise.all([
        digest.update(slot.memory, slot.used),
        writeAll(file, slot.bytes.subarray(0, slot.used), at),
      ]);
      slot.free.catch(() => {});
      current = (current + 1) % SLOTS;
      if (position - flushed < FLUSH_EVERY_BYTES) return;
      await flushing;
      flushed = position;
      flushing = Promise.all(slots.map(item => item.free)).then(() => file.datasync());
      flushing.catch(() => {});
    };
    let slot = await take();
    for await (const chunk of source.chunks) {
      for (let done = 0; done < chunk.byteLength; ) {
        if (slot.used === slotBytes) {
          await pass(slot);
          slot = await take();
        }
        const copied = chunk.copy(slot.bytes, slot.used, done);
        slot.used += copied;
        done += copied;
      }
    }
    if (slot.used > 0) await pass(slot);
    await Promise.all(slots.map(item => item.free));
    await flushing;
    await file.sync();
    finished = true;
    return { size: source.size, checksum: await digest.finish() };
  } finally {
    // A write in flight must not meet a closed file.
    await Promise.allSettled([...slots.map(item => item.free), flushing]);
    await file.close();
    if (!finished) digest.drop();
  }
}

async function writeAll(file: FileHandle, bytes: Buffer, at: number): Promise<void> {
  for (let done = 0; done < bytes.byteLength; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.byteLength - done, at + done);
    if (bytesWritten === 0) throw storeFault('StorageFull');
    done += bytesWritten;
  }
}
