import { must } from '@folsom/core';
import { ChunkDecoder } from './framing.ts';
import type { Framing } from './head.ts';
import { keepPiece } from './inbox.ts';
import type { BodyStream } from './message.ts';
import { isLent, releaseSlab } from './slabs.ts';

/** Smaller chunks are not worth freeing by hand. */
const FREED_BYTES_MIN = 16_384;

export interface BodyHooks {
  /** There is room for more. */
  resume(): void;
  /** Somebody waits for bytes. */
  wait(): void;
  /** Nobody waits any more. */
  unwait(): void;
  /** The last byte is here. */
  done(): void;
  /** The reader wants no more of it. */
  abandon(): void;
  /** What the reader is told of bad framing. */
  framingError?(error: Error): Error;
}

/** Who waits for bytes: for a chunk, or for some bytes in memory of his own. */
interface Waiter {
  /** Gives him bytes, or the end; how many of them he takes. */
  take(chunk: Buffer | null): number;
  reject(error: Error): void;
}

/** A body that a socket feeds and a reader pulls. */
export class FramedBody implements BodyStream {
  complete: boolean;
  failed: Error | null = null;
  /** Whether anybody ever asked for bytes. */
  started = false;
  queued = 0;
  private readonly framing: Framing;
  private readonly chunks: ChunkDecoder | null;
  private readonly queue: Buffer[] = [];
  private readonly queueMax: number;
  private readonly hooks: BodyHooks;
  private remaining: number;
  private waiter: Waiter | null = null;
  private cancelled = false;
  /** Bytes of the first in the queue that are read already. */
  private taken = 0;

  constructor(framing: Framing, queueMax: number, hooks: BodyHooks) {
    this.framing = framing;
    this.queueMax = queueMax;
    this.hooks = hooks;
    this.complete = framing === 0;
    this.remaining = typeof framing === 'number' ? framing : Number.POSITIVE_INFINITY;
    this.chunks = framing === 'chunked' ? new ChunkDecoder(piece => this.push(piece)) : null;
  }

  /** Null for a body whose length nobody knows yet. */
  get length(): number | null {
    return typeof this.framing === 'number' ? this.framing : null;
  }

  get untilClose(): boolean {
    return this.framing === 'close';
  }

  get waiting(): boolean {
    return this.waiter !== null;
  }

  get full(): boolean {
    return this.queued > this.queueMax;
  }

  /** Whether its framing allows another message behind it. */
  get clean(): boolean {
    return !this.chunks?.foreign;
  }

  /** All of the body if it is here in one piece and nobody has read of it. */
  get whole(): Buffer | null {
    return this.complete && !this.failed && this.queue.length === 1
      ? must(this.queue[0], 'queue is not empty')
      : null;
  }

  read(): Promise<Buffer | null> {
    this.started = true;
    const first = this.queue[0];
    if (first) {
      const chunk = this.taken > 0 ? first.subarray(this.taken) : first;
      this.queue.shift();
      this.consumed(chunk.length);
      this.taken = 0;
      return Promise.resolve(chunk);
    }
    return this.waitFor((resolve, chunk) => {
      resolve(chunk && keepPiece(chunk));
      return chunk?.length ?? 0;
    });
  }

  readInto(target: Buffer): Promise<number> {
    this.started = true;
    const first = this.queue[0];
    if (first) {
      const count = first.copy(target, 0, this.taken);
      this.taken += count;
      if (this.taken === first.length) {
        this.queue.shift();
        this.taken = 0;
        this.free(first);
      }
      this.consumed(count);
      return Promise.resolve(count);
    }
    return this.waitFor((resolve, chunk) => {
      const count = chunk?.copy(target) ?? 0;
      resolve(count);
      return count;
    });
  }

  /** Room for more once there is enough of it. */
  private consumed(count: number): void {
    this.queued -= count;
    if (this.queued < this.queueMax / 2 && !this.complete) this.hooks.resume();
  }

  private waitFor<T>(take: (resolve: (value: T) => void, chunk: Buffer | null) => number): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.failed) return reject(this.failed);
      if (this.complete || this.cancelled) return void take(resolve, null);
      this.hooks.wait();
      this.hooks.resume();
      this.waiter = { take: chunk => take(resolve, chunk), reject };
    });
  }

  cancel(): void {
    // Nobody else has what lies in the queue, unless it was taken as the `whole`.
    if (this.whole === null) for (const chunk of this.queue) this.free(chunk);
    this.queue.length = 0;
    this.queued = 0;
    this.taken = 0;
    if (this.cancelled) return;
    this.cancelled = true;
    if (!this.complete && !this.failed) this.hooks.abandon();
  }

  /**
   * What a socket gives is memory outside the heap. Left to the collector it drives it to a full round for every 64 MB
   * received, most of the time of an upload's server.
   */
  free(chunk: Buffer): void {
    if (isLent(chunk)) {
      releaseSlab(chunk);
      return;
    }
    const { buffer } = chunk;
    if (!(buffer instanceof ArrayBuffer) || chunk.length < FREED_BYTES_MIN) return;
    // A part of a larger one: others may hold the rest.
    if (chunk.length === buffer.byteLength) buffer.transfer(0);
  }

  fail(error: Error): void {
    if (this.complete || this.failed) return;
    this.failed = error;
    this.hooks.unwait();
    const waiter = this.waiter;
    this.waiter = null;
    waiter?.reject(error);
  }

  finish(): void {
    if (this.complete) return;
    this.complete = true;
    this.hooks.unwait();
    const waiter = this.waiter;
    this.waiter = null;
    this.hooks.done();
    waiter?.take(null);
  }

  /** Takes bytes from the socket; returns those that belong to the next message. */
  feed(chunk: Buffer): Buffer | null {
    if (this.failed) return null;
    if (this.chunks) {
      try {
        const rest = this.chunks.feed(chunk);
        if (this.chunks.done) this.finish();
        return rest;
      } catch (error) {
        this.fail(this.hooks.framingError?.(error as Error) ?? (error as Error));
        return null;
      }
    }
    if (chunk.length < this.remaining) {
      this.remaining -= chunk.length;
      this.push(chunk);
      return null;
    }
    const whole = chunk.length === this.remaining;
    const mine = whole ? chunk : chunk.subarray(0, this.remaining);
    const rest = whole ? null : chunk.subarray(this.remaining);
    this.remaining = 0;
    if (mine.length) this.push(mine);
    this.finish();
    return rest;
  }

  private push(chunk: Buffer): void {
    const { waiter } = this;
    let rest = chunk;
    if (waiter) {
      this.waiter = null;
      this.hooks.unwait();
      rest = chunk.subarray(waiter.take(chunk));
    }
    if (rest.length === 0) return;
    this.queue.push(keepPiece(rest));
    this.queued += rest.length;
  }
}
