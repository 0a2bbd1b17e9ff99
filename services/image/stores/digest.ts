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
  const onAbort = () => source.destroy(options.signal.reason as Error);
  async function* flow(): AsyncGenerator<Buffer> {
    options.signal.throwIfAborted();
    options.signal.addEventListener('abort', onAbort, { once: true });
    try {
      for await (const part of source) {
        const chunk = part as Buffer;
        state.size += chunk.byteLength;
        if (state.size > options.sizeMax) throw storeFault('ImageSizeLimitExceeded');
        hash.update(chunk);
        yield chunk;
      }
      options.signal.throwIfAborted();
    } finally {
      options.signal.removeEventListener('abort', onAbort);
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
