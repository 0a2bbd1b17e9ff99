import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { storeFault } from './store.ts';

/** Counts and digests what flows through it. */
export interface Measured {
  readonly size: number;
  /** MD5 of everything so far; ends the counting. */
  checksum(): string;
}

/**
 * Hands on the chunks of an upload, counting and digesting them.
 *
 * @throws ImageSizeLimitExceeded past `sizeMax`; the signal's reason when it is aborted.
 */
export function measured(
  source: Readable,
  options: { sizeMax: number; signal: AbortSignal },
): Measured & { chunks: AsyncIterable<Buffer> } {
  const hash = createHash('md5');
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
      new Promise<IteratorResult<Buffer>>((resolve, reject) => {
        abort = () => reject(signal.reason);
        (iterator.next() as Promise<IteratorResult<Buffer>>).then(resolve, reject);
      });
    try {
      for (;;) {
        const { value, done } = await next();
        signal.throwIfAborted();
        if (done) return;
        state.size += value.byteLength;
        if (state.size > options.sizeMax) throw storeFault('ImageSizeLimitExceeded');
        hash.update(value);
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
    checksum: () => hash.digest('hex'),
  };
}
