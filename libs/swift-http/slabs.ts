/**
 * Memory for the bytes of large bodies, used again and again: taking it anew for every piece would keep the garbage
 * collector busy. It is shared memory, so that a thread may digest what is being sent or written.
 *
 * Whoever gets a lent chunk may keep it: a slab that is never released is simply not used again. Only who is sure to
 * be the last one releases it.
 */
export interface Slab {
  readonly memory: SharedArrayBuffer;
  /** All of it. */
  readonly bytes: Buffer;
}

export const SLAB_BYTES = 524_288;
/** Slabs that lie ready at most, 16 MiB in all. */
const READY_MAX = 32;

const ready: Slab[] = [];

/** The part of a slab that was lent, and by how many it is held. */
const lent = new WeakMap<ArrayBufferLike, { slab: Slab; length: number; holds: number }>();

export function takeSlab(): Slab {
  const slab = ready.pop();
  if (slab) return slab;
  const memory = new SharedArrayBuffer(SLAB_BYTES);
  return { memory, bytes: Buffer.from(memory) };
}

/** Gives back a slab nobody else knows of. */
export function giveSlab(slab: Slab): void {
  if (ready.length < READY_MAX) ready.push(slab);
}

/** The first bytes of a slab as a chunk to pass on; it comes back after as many releases as there are holds. */
export function lendSlab(slab: Slab, length: number, holds = 1): Buffer {
  lent.set(slab.memory, { slab, length, holds });
  return length === SLAB_BYTES ? slab.bytes : slab.bytes.subarray(0, length);
}

/** One holder more of a chunk that is lent. */
export function holdSlab(chunk: Buffer): void {
  const entry = lent.get(chunk.buffer);
  if (entry) entry.holds++;
}

export const isLent = (chunk: Buffer): boolean => lent.has(chunk.buffer);

/** One holder less. Parts of a chunk release nothing: other parts may still be on their way. */
export function releaseSlab(chunk: Buffer): void {
  const entry = lent.get(chunk.buffer);
  if (!entry || chunk.byteLength !== entry.length) return;
  entry.holds--;
  if (entry.holds > 0) return;
  lent.delete(chunk.buffer);
  giveSlab(entry.slab);
}
