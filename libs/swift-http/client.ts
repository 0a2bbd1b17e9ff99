import net from 'node:net';
import type { World } from '@folsom/core';
import { LocalBody, type LocalServers, localHeaders, withLength } from './local-servers.ts';
import {
  type BodyStream,
  bodyOf,
  ClientDisconnected,
  EMPTY_BODY,
  type Headers,
  lowerName,
  REASONS,
  type ServerHandler,
  type ServerRequest,
  type ServerResponse,
} from './message.ts';
import { lendSlab, SLAB_BYTES, takeSlab } from './slabs.ts';

/**
 * A lean HTTP/1.1 client for the talk between swift's own servers: kept-alive connections, one request at a time on
 * each, time limits on connecting and on every wait, bodies pulled and pushed with backpressure, and
 * `Expect: 100-continue` with early answers, as the original servers use it.
 */
export interface InternalClient {
  /** Sends a request whose body is small or absent; resolves with the head of the answer. */
  request(target: Target, call: Call): Promise<InternalResponse>;
  /** Sends the head of a request with `Expect: 100-continue` and waits for the server's word. */
  open(target: Target, call: Omit<Call, 'body'>): Promise<OpenRequest>;
  close(): void;
}

export interface Target {
  ip: string;
  port: number;
}

export interface Call {
  method: string;
  /** Quoted path with query. */
  path: string;
  headers: Iterable<readonly [string, string]>;
  body?: Buffer;
  connectTimeoutMs: number;
  /** For each wait: the head of the answer, and each piece of its body. */
  timeoutMs: number;
}

export interface InternalResponse {
  status: number;
  reason: string;
  headers: Headers;
  /** Must be read to its end or cancelled, unless `whole` is taken instead. */
  body: BodyStream;
  /** The body, if all of it arrived in one piece with the head. */
  whole: Buffer | null;
}

/** A request whose body is still to be sent. `early` is set if the server answered without wanting the body. */
export interface OpenRequest {
  early: InternalResponse | null;
  write(chunk: Buffer): Promise<void>;
  /** Ends the body and waits for the answer. */
  finish(timeoutMs?: number): Promise<InternalResponse>;
  abort(): void;
}

export class InternalTimeout extends Error {
  override readonly name = 'InternalTimeout';
}

export class ConnectionBroken extends Error {
  override readonly name = 'ConnectionBroken';
}

const IDLE_PER_TARGET = 128;
const IDLE_MS = 15_000;
const QUEUE_MAX = 256 * 1024;
const HEAD_MAX = 64 * 1024;
const CRLF2 = Buffer.from('\r\n\r\n');

export function createInternalClient({ clock }: Pick<World, 'clock'>, local?: LocalServers): InternalClient {
  const idle = new Map<string, Wire[]>();
  const inbox = Buffer.alloc(SLAB_BYTES);
  const all = new Set<Wire>();
  let closed = false;

  const release = (wire: Wire): void => {
    if (closed || !wire.usable) {
      wire.destroy();
      return;
    }
    const list = idle.get(wire.key);
    wire.idleSince = clock.monotonic();
    if (!list) idle.set(wire.key, [wire]);
    else if (list.length < IDLE_PER_TARGET) list.push(wire);
    else wire.destroy();
  };

  const sweep = clock.every(1000, () => {
    const now = clock.monotonic();
    for (const wire of all) wire.checkTime(now);
    for (const [key, list] of idle) {
      const kept = list.filter(wire => {
        if (wire.usable && now - wire.idleSince < IDLE_MS) return true;
        wire.destroy();
        return false;
      });
      if (kept.length) idle.set(key, kept);
      else idle.delete(key);
    }
  });

  const connect = (target: Target, timeoutMs: number): Promise<Wire> => {
    const key = `${target.ip}:${target.port}`;
    return new Promise((resolve, reject) => {
      let wire: Wire | null = null;
      const socket = net.connect({
        host: target.ip,
        port: target.port,
        noDelay: true,
        // All connections read into the same memory, one after the other; what came is copied out at once.
        onread: {
          buffer: inbox,
          callback: length => {
            wire?.onData(pieceOf(inbox, length));
            return true;
          },
        },
      });
      const timer = clock.after(timeoutMs, () => {
        socket.destroy();
        reject(new InternalTimeout(`no connection to ${key} within ${timeoutMs} ms`));
      });
      socket.once('connect', () => {
        timer.cancel();
        const made = new Wire(socket, key, clock, release, () => all.delete(made));
        wire = made;
        all.add(made);
        resolve(made);
      });
      socket.once('error', error => {
        timer.cancel();
        reject(new ConnectionBroken(`cannot connect to ${key}: ${error.message}`));
      });
    });
  };

  const take = (target: Target): Wire | null => {
    const list = idle.get(`${target.ip}:${target.port}`);
    while (list?.length) {
      const wire = list.pop()!;
      if (wire.usable) return wire;
    }
    return null;
  };

  return {
    request: async (target, call) => {
      if (closed) throw new ConnectionBroken('client closed');
      const handler = local?.find(`${target.ip}:${target.port}`);
      if (handler) return requestHere(handler, target, call, clock);
      const kept = take(target);
      if (kept) {
        try {
          return await kept.request(target, call);
        } catch (error) {
          // The server had closed a kept connection just now; nothing of the request was looked at.
          if (!(error instanceof ConnectionBroken) || kept.answered) throw error;
        }
      }
      return (await connect(target, call.connectTimeoutMs)).request(target, call);
    },
    open: async (target, call) => {
      if (closed) throw new ConnectionBroken('client closed');
      const handler = local?.find(`${target.ip}:${target.port}`);
      if (handler) return openHere(handler, target, call, clock);
      const kept = take(target);
      if (kept) {
        try {
          return await kept.open(target, call);
        } catch (error) {
          if (!(error instanceof ConnectionBroken) || kept.answered) throw error;
        }
      }
      return (await connect(target, call.connectTimeoutMs)).open(target, call);
    },
    close: () => {
      closed = true;
      sweep.cancel();
      for (const wire of all) wire.destroy();
      idle.clear();
    },
  };
}

type Clock = World['clock'];

/** From this size on a piece gets a slab. */
const SLAB_PIECE_MIN = 16_384;

/** A copy of what was received. */
function pieceOf(inbox: Buffer, length: number): Buffer {
  if (length < SLAB_PIECE_MIN) return Buffer.from(inbox.subarray(0, length));
  const slab = takeSlab();
  inbox.copy(slab.bytes, 0, 0, length);
  return lendSlab(slab, length);
}

/** One connection. */
class Wire {
  readonly key: string;
  idleSince = 0;
  /** Whether any byte of an answer came for the request in flight. */
  answered = false;
  private readonly socket: net.Socket;
  private readonly clock: Clock;
  private readonly release: (wire: Wire) => void;
  private broken: Error | null = null;
  private ended = false;
  private buffer: Buffer | null = null;
  private headWaiter: {
    resolve: (response: InternalResponse | 'continue') => void;
    reject: (error: Error) => void;
  } | null = null;
  private incoming: IncomingBody | null = null;
  private deadline = Number.POSITIVE_INFINITY;
  private timeoutMs = 0;
  private drainWaiter: { resolve: () => void; reject: (error: Error) => void } | null = null;
  private paused = false;
  private method = '';

  constructor(
    socket: net.Socket,
    key: string,
    clock: Clock,
    release: (wire: Wire) => void,
    onClose: () => void,
  ) {
    this.socket = socket;
    this.key = key;
    this.clock = clock;
    this.release = release;
    socket.removeAllListeners('error');
    socket.on('drain', () => {
      const waiter = this.drainWaiter;
      this.drainWaiter = null;
      waiter?.resolve();
    });
    socket.on('end', () => {
      this.ended = true;
      if (this.incoming?.untilClose) this.incoming.finish();
      else this.fail(new ConnectionBroken(`${key} closed the connection`));
    });
    socket.on('error', error => this.fail(new ConnectionBroken(`${key}: ${error.message}`)));
    socket.on('close', () => {
      this.fail(new ConnectionBroken(`${key} closed the connection`));
      onClose();
    });
  }

  get usable(): boolean {
    return !this.broken && !this.ended && !this.socket.destroyed;
  }

  destroy(): void {
    this.broken ??= new ConnectionBroken('closed');
    this.socket.destroy();
  }

  checkTime(now: number): void {
    if (now > this.deadline) {
      this.fail(new InternalTimeout(`${this.key} did not answer within ${this.timeoutMs} ms`));
      this.socket.destroy();
    }
  }

  private wait(timeoutMs: number): void {
    this.timeoutMs = timeoutMs;
    this.deadline = this.clock.monotonic() + timeoutMs;
  }

  private unwait(): void {
    this.deadline = Number.POSITIVE_INFINITY;
  }

  private fail(error: Error): void {
    if (!this.broken) this.broken = error;
    this.unwait();
    const { headWaiter, drainWaiter, incoming } = this;
    this.headWaiter = null;
    this.drainWaiter = null;
    headWaiter?.reject(error);
    drainWaiter?.reject(error);
    incoming?.fail(error);
  }

  private head(target: Target, call: Omit<Call, 'body'>, extra: string): string {
    let lines = '';
    let host = `${target.ip}:${target.port}`;
    for (const [name, value] of call.headers) {
      if (/[\r\n\0]/.test(value) || /[\r\n\0:]/.test(name)) throw new Error('line break in a header');
      if (name === 'Host' || name === 'host') host = value;
      else lines += `${name}: ${value}\r\n`;
    }
    return `${call.method} ${call.path} HTTP/1.1\r\nHost: ${host}\r\n${lines}${extra}\r\n`;
  }

  private awaitHead(timeoutMs: number): Promise<InternalResponse | 'continue'> {
    if (this.broken) return Promise.reject(this.broken);
    this.wait(timeoutMs);
    return new Promise((resolve, reject) => {
      this.headWaiter = { resolve, reject };
      if (this.buffer) this.parse();
    });
  }

  async request(target: Target, call: Call): Promise<InternalResponse> {
    if (this.broken) throw this.broken;
    this.answered = false;
    this.method = call.method;
    const { body } = call;
    const needsLength =
      body !== undefined || (call.method !== 'GET' && call.method !== 'HEAD' && call.method !== 'DELETE');
    const head = this.head(target, call, needsLength ? `Content-Length: ${body?.length ?? 0}\r\n` : '');
    if (body?.length) {
      const whole = Buffer.allocUnsafe(head.length + body.length);
      whole.write(head, 0, 'latin1');
      body.copy(whole, head.length);
      this.socket.write(whole);
    } else this.socket.write(head, 'latin1');
    for (;;) {
      const answer = await this.awaitHead(call.timeoutMs);
      if (answer !== 'continue') return answer;
    }
  }

  async open(target: Target, call: Omit<Call, 'body'>): Promise<OpenRequest> {
    if (this.broken) throw this.broken;
    this.answered = false;
    this.method = call.method;
    let chunked = false;
    for (const [name, value] of call.headers) {
      if (name.toLowerCase() === 'transfer-encoding' && value === 'chunked') chunked = true;
    }
    this.socket.write(this.head(target, call, 'Expect: 100-continue\r\n'), 'latin1');
    const word = await this.awaitHead(call.timeoutMs);
    const early = word === 'continue' ? null : word;
    const write = async (chunk: Buffer): Promise<void> => {
      if (this.broken) throw this.broken;
      let free: boolean;
      if (chunked) {
        this.socket.cork();
        this.socket.write(`${chunk.length.toString(16)}\r\n`, 'latin1');
        this.socket.write(chunk);
        free = this.socket.write('\r\n', 'latin1');
        this.socket.uncork();
      } else free = this.socket.write(chunk);
      if (free) return;
      this.wait(call.timeoutMs);
      await new Promise<void>((resolve, reject) => {
        this.drainWaiter = { resolve, reject };
      });
      this.unwait();
    };
    return {
      early,
      write,
      finish: async timeoutMs => {
        if (this.broken) throw this.broken;
        if (chunked) this.socket.write('0\r\n\r\n', 'latin1');
        for (;;) {
          const answer = await this.awaitHead(timeoutMs ?? call.timeoutMs);
          if (answer !== 'continue') return answer;
        }
      },
      abort: () => this.destroy(),
    };
  }

  onData(chunk: Buffer): void {
    this.answered = true;
    const { incoming } = this;
    if (incoming) {
      const rest = incoming.feed(chunk);
      if (rest?.length) this.destroy();
      else if (incoming.queued > QUEUE_MAX) this.pause();
      return;
    }
    this.buffer = this.buffer ? Buffer.concat([this.buffer, chunk]) : chunk;
    if (this.headWaiter) this.parse();
    else if (this.buffer.length > HEAD_MAX) this.destroy();
  }

  private pause(): void {
    if (!this.paused) {
      this.paused = true;
      this.socket.pause();
    }
  }

  private resume(): void {
    if (this.paused) {
      this.paused = false;
      this.socket.resume();
    }
  }

  private parse(): void {
    const buffer = this.buffer!;
    const end = buffer.indexOf(CRLF2);
    if (end < 0) {
      if (buffer.length > HEAD_MAX) this.fail(new ConnectionBroken('answer head too long'));
      return;
    }
    const head = buffer.toString('latin1', 0, end);
    this.buffer = end + 4 < buffer.length ? buffer.subarray(end + 4) : null;
    let lineEnd = head.indexOf('\r\n');
    const first = lineEnd < 0 ? head : head.slice(0, lineEnd);
    const match = /^HTTP\/1\.([01]) (\d{3}) ?(.*)$/.exec(first);
    if (!match) {
      this.fail(new ConnectionBroken(`${this.key} does not speak HTTP`));
      this.socket.destroy();
      return;
    }
    const status = Number(match[2]);
    const waiter = this.headWaiter!;
    this.headWaiter = null;
    this.unwait();
    if (status === 100) {
      waiter.resolve('continue');
      return;
    }
    const headers: Headers = new Map();
    while (lineEnd >= 0) {
      const start = lineEnd + 2;
      lineEnd = head.indexOf('\r\n', start);
      const line = lineEnd < 0 ? head.slice(start) : head.slice(start, lineEnd);
      const colon = line.indexOf(':');
      if (colon > 0) headers.set(lowerName(line.slice(0, colon)), line.slice(colon + 1).trim());
    }
    const keep = match[1] === '1' && !/close/i.test(headers.get('connection') ?? '');
    let length: number | null | 'close';
    if (this.method === 'HEAD' || status === 204 || status === 304) length = 0;
    else if (/chunked/i.test(headers.get('transfer-encoding') ?? '')) length = null;
    else if (headers.has('content-length')) length = Number(headers.get('content-length'));
    else length = 'close';
    const body = new IncomingBody(length, {
      resume: () => this.resume(),
      wait: () => this.wait(this.timeoutMs),
      unwait: () => this.unwait(),
      done: () => {
        this.incoming = null;
        if (keep && length !== 'close') this.release(this);
        else this.destroy();
      },
      abandon: () => this.destroy(),
    });
    if (length === 0) body.finish();
    else {
      this.incoming = body;
      if (this.buffer) {
        const early = this.buffer;
        this.buffer = null;
        const rest = body.feed(early);
        if (rest?.length) this.destroy();
      }
      if (this.ended && body.untilClose) body.finish();
    }
    waiter.resolve({ status, reason: match[3]!, headers, body, whole: body.whole });
  }
}

interface BodyHooks {
  resume(): void;
  wait(): void;
  unwait(): void;
  done(): void;
  abandon(): void;
}

class IncomingBody implements BodyStream {
  readonly untilClose: boolean;
  queued = 0;
  private readonly queue: Buffer[] = [];
  private remaining: number;
  private readonly chunked: boolean;
  private complete = false;
  private cancelled = false;
  private failed: Error | null = null;
  private waiter: { resolve: (chunk: Buffer | null) => void; reject: (error: Error) => void } | null = null;
  private readonly hooks: BodyHooks;
  private partial: Buffer | null = null;
  private phase: 'size' | 'data' | 'data-end' | 'trailer' = 'size';

  constructor(length: number | null | 'close', hooks: BodyHooks) {
    this.untilClose = length === 'close';
    this.chunked = length === null;
    this.remaining = typeof length === 'number' ? length : length === 'close' ? Number.POSITIVE_INFINITY : 0;
    this.hooks = hooks;
  }

  /** All of the body if it is here in one piece and nobody has read of it. */
  get whole(): Buffer | null {
    return this.complete && !this.failed && this.queue.length === 1 ? this.queue[0]! : null;
  }

  read(): Promise<Buffer | null> {
    const chunk = this.queue.shift();
    if (chunk) {
      this.queued -= chunk.length;
      if (this.queued < QUEUE_MAX / 2 && !this.complete) this.hooks.resume();
      return Promise.resolve(chunk);
    }
    if (this.failed) return Promise.reject(this.failed);
    if (this.complete || this.cancelled) return Promise.resolve(null);
    this.hooks.resume();
    this.hooks.wait();
    return new Promise((resolve, reject) => {
      this.waiter = { resolve, reject };
    });
  }

  cancel(): void {
    if (this.cancelled) return;
    this.cancelled = true;
    this.queue.length = 0;
    this.queued = 0;
    if (!this.complete && !this.failed) this.hooks.abandon();
  }

  fail(error: Error): void {
    if (this.complete || this.failed) return;
    this.failed = error;
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
    waiter?.resolve(null);
  }

  private push(chunk: Buffer): void {
    const waiter = this.waiter;
    if (waiter) {
      this.waiter = null;
      this.hooks.unwait();
      waiter.resolve(chunk);
    } else if (!this.cancelled) {
      this.queue.push(chunk);
      this.queued += chunk.length;
    }
  }

  feed(chunk: Buffer): Buffer | null {
    if (this.chunked) return this.feedChunked(chunk);
    if (chunk.length < this.remaining) {
      this.remaining -= chunk.length;
      this.push(chunk);
      return null;
    }
    const mine = chunk.subarray(0, this.remaining);
    const rest = chunk.subarray(this.remaining);
    this.remaining = 0;
    if (mine.length) this.push(mine);
    this.finish();
    return rest;
  }

  private feedChunked(input: Buffer): Buffer | null {
    let data = this.partial ? Buffer.concat([this.partial, input]) : input;
    this.partial = null;
    for (;;) {
      if (this.phase === 'data') {
        if (data.length === 0) return null;
        const part = data.length <= this.remaining ? data : data.subarray(0, this.remaining);
        this.remaining -= part.length;
        data = data.subarray(part.length);
        this.push(part);
        if (this.remaining > 0) return null;
        this.phase = 'data-end';
      }
      const newline = data.indexOf(10);
      if (newline < 0) {
        if (data.length) this.partial = data;
        return null;
      }
      const line = data.toString('latin1', 0, newline).trim();
      data = data.subarray(newline + 1);
      if (this.phase === 'data-end') this.phase = 'size';
      else if (this.phase === 'size') {
        this.remaining = Number.parseInt(line, 16);
        if (Number.isNaN(this.remaining)) {
          this.fail(new ConnectionBroken('bad chunk size'));
          this.hooks.abandon();
          return null;
        }
        this.phase = this.remaining === 0 ? 'trailer' : 'data';
      } else if (line === '') {
        this.finish();
        return data;
      }
    }
  }
}

/** A promise that must settle within a time, or the wait for it fails. */
function within<T>(work: Promise<T>, ms: number, target: Target, clock: Clock): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(ms, () =>
      reject(new InternalTimeout(`${target.ip}:${target.port} did not answer within ${ms} ms`)),
    );
    work.then(
      value => {
        timer.cancel();
        resolve(value);
      },
      error => {
        timer.cancel();
        reject(error);
      },
    );
  });
}

const serverRequest = (
  target: Target,
  call: Omit<Call, 'body'>,
  body: ServerRequest['body'],
): ServerRequest => ({
  method: call.method,
  target: call.path,
  version: '1.1',
  headers: localHeaders(call.headers),
  body,
  remoteAddress: target.ip,
});

function arrived(response: ServerResponse, method: string): InternalResponse {
  const { status, reason, headers, body } = withLength(response);
  const none = method === 'HEAD' || status === 204 || status === 304;
  if (none && body !== null && !Buffer.isBuffer(body)) body.cancel();
  return {
    status,
    reason: reason ?? REASONS[status] ?? '',
    headers,
    body: none || body === null ? EMPTY_BODY : Buffer.isBuffer(body) ? bodyOf(body) : body,
    whole: !none && Buffer.isBuffer(body) && body.length > 0 ? body : null,
  };
}

/** A request to a server of this process. */
async function requestHere(
  handler: ServerHandler,
  target: Target,
  call: Call,
  clock: Clock,
): Promise<InternalResponse> {
  const request = serverRequest(target, call, call.body?.length ? bodyOf(call.body) : EMPTY_BODY);
  if (
    call.body !== undefined ||
    (call.method !== 'GET' && call.method !== 'HEAD' && call.method !== 'DELETE')
  ) {
    request.headers.set('content-length', String(call.body?.length ?? 0));
  }
  return arrived(await within(handler(request), call.timeoutMs, target, clock), call.method);
}

/** An upload to a server of this process. */
async function openHere(
  handler: ServerHandler,
  target: Target,
  call: Omit<Call, 'body'>,
  clock: Clock,
): Promise<OpenRequest> {
  const headers = localHeaders(call.headers);
  const chunked = headers.get('transfer-encoding') === 'chunked';
  const body = new LocalBody(chunked ? null : Number(headers.get('content-length') ?? 0));
  const answered = handler(serverRequest(target, call, body));
  // Once there is an answer nobody reads on. A failure is looked at below.
  answered.then(
    () => body.cancel(),
    () => body.cancel(),
  );
  const first = await within(
    Promise.race([body.wanted.then(() => null), answered]),
    call.timeoutMs,
    target,
    clock,
  );
  return {
    early: first === null ? null : arrived(first, call.method),
    write: async chunk => {
      await within(body.push(chunk), call.timeoutMs, target, clock);
    },
    finish: async timeoutMs => {
      body.end();
      return arrived(await within(answered, timeoutMs ?? call.timeoutMs, target, clock), call.method);
    },
    abort: () => body.fail(new ClientDisconnected('upload given up')),
  };
}

/** Reads a small answer to its end. */
export async function internalText(response: InternalResponse, limit = 16 * 1024 * 1024): Promise<Buffer> {
  if (response.whole && response.whole.length <= limit) return response.whole;
  const parts: Buffer[] = [];
  let size = 0;
  for (;;) {
    const chunk = await response.body.read();
    if (chunk === null) return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
    size += chunk.length;
    if (size > limit) {
      response.body.cancel();
      throw new Error(`answer longer than ${limit} bytes`);
    }
    parts.push(chunk);
  }
}
