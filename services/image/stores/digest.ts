import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { storeFault } from './store.ts';

/** A stream that is counted as it flows by. */
export interface Counted {
  readonly chunks: AsyncIterable<Buffer>;
  /** Bytes so far. */
  readonly size: number;
}

export interface Measured extends Counted {
  /** MD5 of everything that flowed by; ends the counting. */
  checksum(): string;
}

export interface FlowLimits {
  sizeMax: number;
  signal: AbortSignal;
}

/**
 * Hands on the chunks of an upload, counting them.
 *
 * @throws ImageSizeLimitExceeded past `sizeMax`; the signal's reason when it is aborted.
 */
export function counted(source: Readable, options: FlowLimits): Counted {
  const state = { size: 0 };
  const { signal } = options;
  async function* flow(): AsyncGenerator<Buffer> {
    signal.throwIfAborted();
    // The stream stays open when this ends early: an answer may still go out on its connection.
    const iterator = source.iterator({ destroyOnReturn: false });
    let abort: () => void = () => {};
    const onAbort = () => abort();
    signal.addEventListener('abort', onAbort, { once: true });
    const next = () =>
      new Promise<IteratorResult<Buffer, undefined>>((resolve, reject) => {
        abort = () => reject(signal.reason);
        (iterator.next() as Promise<IteratorResult<Buffer, undefined>>).then(resolve, reject);
      });
    try {
      for (;;) {
        const { value, done } = await next();
        signal.throwIfAborted();
        if (done) return;
        state.size += value.byteLength;
        if (state.size > options.sizeMax) throw storeFault('ImageSizeLimitExceeded');
        yield value;
      }
    } finally {
      signal.removeEventListener('abort', onAbort);
      // Waits for a chunk that is on its way, so nobody waits for this.
      iterator.return?.()?.catch(() => {});
    }
  }
  return {
    chunks: flow(),
    get size() {
      return state.size;
    },
  };
}

/** The same, digested as well. */
export function measured(source: Readable, options: FlowLimits): Measured {
  const hash = createHash('md5');
  const inner = counted(source, options);
  async function* flow(): AsyncGenerator<Buffer> {
    for await (const chunk of inner.chunks) {
      hash.update(chunk);
      yield chunk;
    }
  }
  return {
    chunks: flow(),
    get size() {
      return inner.size;
    },
    checksum: () => hash.digest('hex'),
  };
}
