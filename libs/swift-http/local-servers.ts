import { checkHeader } from './calls.ts';
import {
  type Headers,
  lowerName,
  type RequestBody,
  type ServerHandler,
  type ServerResponse,
} from './message.ts';
import { holdSlab, releaseSlab } from './slabs.ts';

/**
 * Servers of this process, by `ip:port`: a client of the same process calls their handlers directly instead of
 * through the loopback interface. They listen on their ports all the same, for everybody else.
 */
export interface LocalServers {
  register(address: string, handler: ServerHandler): void;
  remove(address: string): void;
  find(address: string): ServerHandler | undefined;
}

export function localServers(): LocalServers {
  const handlers = new Map<string, ServerHandler>();
  return {
    register: (address, handler) => void handlers.set(address, handler),
    remove: address => void handlers.delete(address),
    find: address => handlers.get(address),
  };
}

const QUEUE_MAX = 256 * 1024;

/** A body pushed by one side and pulled by the other; `push` resolves when there is room for more. */
export class LocalBody implements RequestBody {
  readonly length: number | null;
  /** Resolves when the receiver first asks for bytes: what 100 Continue says over a connection. */
  readonly wanted: Promise<void>;
  private readonly want: () => void;
  private readonly queue: Buffer[] = [];
  private queued = 0;
  private ended = false;
  private cancelled = false;
  private failed: Error | null = null;
  private reader: { resolve: (chunk: Buffer | null) => void; reject: (error: Error) => void } | null = null;
  private writer: (() => void) | null = null;

  constructor(length: number | null) {
    this.length = length;
    let want: () => void = () => {};
    this.wanted = new Promise(resolve => {
      want = resolve;
    });
    this.want = want;
  }

  read(): Promise<Buffer | null> {
    this.want();
    const chunk = this.queue.shift();
    if (chunk) {
      this.queued -= chunk.length;
      if (this.queued < QUEUE_MAX) this.wake();
      return Promise.resolve(chunk);
    }
    if (this.failed) return Promise.reject(this.failed);
    if (this.ended) return Promise.resolve(null);
    return new Promise((resolve, reject) => {
      this.reader = { resolve, reject };
    });
  }

  cancel(): void {
    this.cancelled = true;
    for (const chunk of this.queue.splice(0)) releaseSlab(chunk);
    this.queued = 0;
    this.wake();
  }

  free(chunk: Buffer): void {
    releaseSlab(chunk);
  }

  private wake(): void {
    const writer = this.writer;
    this.writer = null;
    writer?.();
  }

  /** A slab is held until the reader frees it, or nobody wants it any more. */
  push(chunk: Buffer): Promise<void> {
    if (this.cancelled || this.ended) return Promise.resolve();
    holdSlab(chunk);
    const reader = this.reader;
    if (reader) {
      this.reader = null;
      reader.resolve(chunk);
      return Promise.resolve();
    }
    this.queue.push(chunk);
    this.queued += chunk.length;
    if (this.queued <= QUEUE_MAX) return Promise.resolve();
    return new Promise(resolve => {
      this.writer = resolve;
    });
  }

  end(): void {
    this.ended = true;
    const reader = this.reader;
    this.reader = null;
    reader?.resolve(null);
  }

  fail(error: Error): void {
    if (this.ended) return;
    this.failed = error;
    const reader = this.reader;
    this.reader = null;
    reader?.reject(error);
    this.wake();
  }
}

/** Headers as they would have arrived: lower-case names. */
export function localHeaders(headers: Iterable<readonly [string, string]>): Headers {
  const out: Headers = new Map();
  for (const [name, value] of headers) {
    checkHeader(name, value);
    out.set(lowerName(name), value);
  }
  return out;
}

/** A response as it would have arrived: with its length. */
export function withLength(response: ServerResponse): ServerResponse {
  const { headers, body } = response;
  if (!headers.has('content-length') && (body === null || Buffer.isBuffer(body))) {
    headers.set('content-length', String(body === null ? 0 : body.length));
  }
  return response;
}
