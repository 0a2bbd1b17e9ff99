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
/** So many may always lie ready: 16 MiB. */
const READY_MIN = 32;
/** After so many returns it is seen which slabs nobody has needed meanwhile. */
const RETURNS_A_LOOK = 256;

const ready: Slab[] = [];
let returns = 0;
/** The fewest that lay ready since the last look. */
let unneeded = 0;

/** The part of a slab that was lent, and by how many it is held. */
const lent = new WeakMap<ArrayBufferLike, { slab: Slab; length: number; holds: number }>();

export function takeSlab(): Slab {
  const slab = ready.pop();
  unneeded = Math.min(unneeded, ready.length);
  if (slab) return slab;
  const memory = new SharedArrayBuffer(SLAB_BYTES);
  return { memory, bytes: Buffer.from(memory) };
}

/**
 * Gives back a slab nobody else knows of. As many lie ready as are needed at a time: V8 does not count shared memory, so what is let go
 * of and made anew would grow until it happens to collect. Half of those that nobody needed for a while are let go of.
 */
export function giveSlab(slab: Slab): void {
  ready.push(slab);
  returns++;
  if (returns % RETURNS_A_LOOK === 0) keepReady(ready.length - Math.ceil(unneeded / 2));
}

/** Lets go of all but a few that lie ready: for a process that has come to rest. */
export const dropReadySlabs = (): void => keepReady(0);

function keepReady(count: number): void {
  ready.length = Math.min(ready.length, Math.max(count, READY_MIN));
  unneeded = ready.length;
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
