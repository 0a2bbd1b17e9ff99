import { connect, type Socket } from 'node:net';

/** One request of a run: its head and body as they go over the wire. */
export interface LoadRequest {
  method: string;
  path: string;
  headers?: Record<string, string>;
  body?: Buffer;
}

export interface LoadResult {
  /** Requests answered. */
  count: number;
  seconds: number;
  perSecond: number;
  /** Milliseconds. */
  median: number;
  slowest99: number;
  /** Answers by status. */
  statuses: Record<number, number>;
  bytes: number;
}

export interface LoadOptions {
  host: string;
  port: number;
  connections: number;
  /** Run ends after this many seconds, or when `next` gives null. */
  seconds: number;
  next(index: number): LoadRequest | null;
}

/**
 * Keeps `connections` kept-alive connections busy, one request at a time on each. A plain client over sockets: on a
 * machine of two cores a general one would cost more than the server it measures.
 */
export async function load(options: LoadOptions): Promise<LoadResult> {
  const times: number[] = [];
  const statuses: Record<number, number> = {};
  let index = 0;
  let bytes = 0;
  const started = performance.now();
  const deadline = started + options.seconds * 1000;
  const worker = async () => {
    const wire = await Wire.open(options.host, options.port);
    try {
      while (performance.now() < deadline) {
        const request = options.next(index++);
        if (!request) return;
        const from = performance.now();
        const answer = await wire.exchange(request);
        times.push(performance.now() - from);
        statuses[answer.status] = (statuses[answer.status] ?? 0) + 1;
        bytes += answer.bytes;
      }
    } finally {
      wire.close();
    }
  };
  await Promise.all(Array.from({ length: options.connections }, worker));
  const seconds = (performance.now() - started) / 1000;
  times.sort((a, b) => a - b);
  return {
    count: times.length,
    seconds,
    perSecond: times.length / seconds,
    median: times[Math.floor(times.length / 2)] ?? 0,
    slowest99: times[Math.floor(times.length * 0.99)] ?? 0,
    statuses,
    bytes,
  };
}

/** A connection that counts the bytes of answers without keeping them. */
export class Wire {
  static open(host: string, port: number): Promise<Wire> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port, noDelay: true });
      socket.once('connect', () => resolve(new Wire(socket)));
      socket.once('error', reject);
    });
  }

  readonly #socket: Socket;
  #head = '';
  #left = -1;
  #status = 0;
  #bytes = 0;
  #isHead = false;
  #done: ((answer: { status: number; bytes: number }) => void) | null = null;
  #failed: ((error: Error) => void) | null = null;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', chunk => this.#take(chunk));
    socket.on('error', error => this.#failed?.(error));
    socket.on('close', () => this.#failed?.(new Error('connection closed')));
  }

  exchange(request: LoadRequest): Promise<{ status: number; bytes: number }> {
    let head = `${request.method} ${request.path} HTTP/1.1\r\nHost: bench\r\n`;
    for (const name in request.headers) head += `${name}: ${request.headers[name]}\r\n`;
    if (request.body) head += `Content-Length: ${request.body.length}\r\n`;
    head += '\r\n';
    this.#head = '';
    this.#left = -1;
    this.#bytes = 0;
    this.#isHead = request.method === 'HEAD';
    return new Promise((resolve, reject) => {
      this.#done = resolve;
      this.#failed = reject;
      if (request.body && request.body.length < 16_384) {
        this.#socket.write(Buffer.concat([Buffer.from(head, 'latin1'), request.body]));
      } else {
        this.#socket.write(head, 'latin1');
        if (request.body) this.#socket.write(request.body);
      }
    });
  }

  /** Sends a PUT whose body is `chunk` over and over, `bytes` in all, as fast as the server takes it. */
  async upload(
    request: LoadRequest,
    chunk: Buffer,
    bytes: number,
  ): Promise<{ status: number; bytes: number }> {
    const headers = { ...request.headers, 'Content-Length': String(bytes) };
    const answer = this.exchange({ ...request, headers });
    let broken: Error | null = null;
    answer.catch(error => {
      broken = error;
    });
    for (let left = bytes; left > 0 && !broken && !this.#socket.destroyed; left -= chunk.length) {
      const piece = left < chunk.length ? chunk.subarray(0, left) : chunk;
      if (this.#socket.write(piece)) continue;
      await new Promise<void>(resolve => {
        const go = () => {
          this.#socket.off('drain', go);
          this.#socket.off('close', go);
          resolve();
        };
        this.#socket.on('drain', go);
        this.#socket.on('close', go);
      });
    }
    return answer;
  }

  /** Reads on only so far; a client that dawdles. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Bytes of the body in flight that have arrived. */
  get received(): number {
    return this.#bytes;
  }

  close(): void {
    this.#failed = null;
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    let rest = chunk;
    if (this.#left < 0) {
      this.#head += chunk.toString('latin1');
      const end = this.#head.indexOf('\r\n\r\n');
      if (end < 0) return;
      const head = this.#head.slice(0, end);
      rest = Buffer.from(this.#head.slice(end + 4), 'latin1');
      this.#status = Number(head.slice(9, 12));
      const length = /\r\ncontent-length: *(\d+)/i.exec(head);
      const empty = this.#isHead || this.#status === 204 || this.#status === 304;
      this.#left = empty ? 0 : Number(length?.[1] ?? 0);
    }
    this.#left -= rest.length;
    this.#bytes += rest.length;
    if (this.#left > 0) return;
    this.#done?.({ status: this.#status, bytes: this.#bytes });
  }
}
