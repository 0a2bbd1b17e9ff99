import net from 'node:net';
import { setImmediate as turnOfTheLoop } from 'node:timers/promises';
import tls from 'node:tls';
import { LIMITS, type World } from '@folsom/core';
import type { LocalServers } from './local-servers.ts';
import {
  BadFraming,
  type BodyStream,
  ClientDisconnected,
  ClientTimeout,
  type Headers,
  lowerName,
  REASONS,
  type RequestBody,
  type ServerHandler,
  type ServerRequest,
  type ServerResponse,
} from './message.ts';
import { isLent, releaseSlab } from './slabs.ts';

/**
 * HTTP/1.1 straight on sockets. Swift's protocol needs what node:http's parser refuses (the REPLICATE method, unknown
 * methods answered 405, negative lengths answered 400, a 499 to a client that closed its sending side), and its
 * small reads are fast enough that a general server would be most of their cost.
 */
export interface HttpServer {
  listen(port: number, host: string): Promise<string>;
  /** Stops accepting, lets requests in flight end (at most `graceMs`), closes everything. */
  close(graceMs?: number): Promise<void>;
  /** Open connections, for tests. */
  readonly connections: number;
}

/** How a server listens. */
export interface ListenOptions {
  /** Connections the kernel keeps for us until we accept them. Default 4096. */
  backlog?: number;
  /** Certificate and key in PEM: the server speaks TLS only. */
  tls?: { cert: string; key: string } | null;
}

/** The part of larger options that says how to listen. */
export const listenOptions = ({ backlog, tls: keys }: ListenOptions): ListenOptions => ({
  ...(backlog === undefined ? {} : { backlog }),
  ...(keys ? { tls: keys } : {}),
});

export interface HttpServerOptions extends ListenOptions {
  handler: ServerHandler;
  world: World;
  /** A client may be silent this long within a body. Default 60 s. */
  clientTimeoutMs?: number;
  headerBytesMax?: number;
  /** Where clients of the same process find the handler without a connection. */
  local?: LocalServers;
}

const BODY_BUFFER_MAX = 512 * 1024;
const PIPELINE_BUFFER_MAX = 64 * 1024;
const DRAIN_BODY_MAX = 256 * 1024;
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** Header names may hold UTF-8: that is how users name metadata. */
const HEADER_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z\x80-\xff]+$/;
const CRLF2 = Buffer.from('\r\n\r\n');
const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n';

const titleCache = new Map<string, string>();
/** `x-trans-id` → `X-Trans-Id`. */
export function titleCase(name: string): string {
  let out = titleCache.get(name);
  if (out === undefined) {
    out = name
      .split('-')
      .map(
        part =>
          (part.charCodeAt(0) < 0x80 ? part.charAt(0).toUpperCase() : part.charAt(0)) +
          lowerName(part.slice(1)),
      )
      .join('-');
    if (titleCache.size < 2000) titleCache.set(name, out);
  }
  return out;
}

export function createHttpServer(options: HttpServerOptions): HttpServer {
  const { world } = options;
  const connections = new Set<Connection>();
  let accepted = 0;
  let listening: string | null = null;
  let dateSecond = -1;
  let dateText = '';
  const shared: Shared = {
    handler: options.handler,
    world,
    clientTimeoutMs: options.clientTimeoutMs ?? 60_000,
    headerBytesMax: options.headerBytesMax ?? 2 * LIMITS.headerBytesMax,
    stopping: false,
    date: () => {
      const second = Math.floor(world.clock.now() / 1000);
      if (second !== dateSecond) {
        dateSecond = second;
        dateText = new Date(second * 1000).toUTCString();
      }
      return dateText;
    },
  };
  const accept = (socket: net.Socket): void => {
    const connection = new Connection(socket, shared, () => connections.delete(connection));
    connections.add(connection);
    accepted += 1;
  };
  const server = options.tls
    ? tls.createServer({ allowHalfOpen: true, noDelay: true, ...options.tls }, accept)
    : net.createServer({ allowHalfOpen: true, noDelay: true }, accept);
  const sweep = world.clock.every(1000, () => {
    const now = world.clock.monotonic();
    for (const connection of connections) connection.checkTime(now);
  });
  return {
    get connections() {
      return connections.size;
    },
    listen: (port, host) =>
      new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen({ port, host, backlog: options.backlog ?? 4096 }, () => {
          server.off('error', reject);
          const address = server.address() as net.AddressInfo;
          listening = `${address.address}:${address.port}`;
          options.local?.register(listening, options.handler);
          resolve(listening);
        });
      }),
    close: async (graceMs = LIMITS.stopGraceMs) => {
      if (listening !== null) options.local?.remove(listening);
      sweep.cancel();
      // The kernel says yes to a client before we see it: take in who is connected by now and what he has sent, for a
      // listening socket that closes resets them all.
      for (let before = -1; before !== accepted; ) {
        before = accepted;
        await turnOfTheLoop();
        await turnOfTheLoop();
      }
      shared.stopping = true;
      const closed = new Promise<void>(resolve => server.close(() => resolve()));
      const started = world.clock.monotonic();
      for (let waited = 0; connections.size && waited < graceMs; waited = world.clock.monotonic() - started) {
        for (const connection of connections) connection.closeIfIdle(waited >= LIMITS.stopSilentMs);
        await world.clock.sleep(10);
      }
      for (const connection of connections) connection.destroy();
      await closed;
    },
  };
}

interface Shared {
  handler: ServerHandler;
  world: World;
  clientTimeoutMs: number;
  headerBytesMax: number;
  stopping: boolean;
  date: () => string;
}

/** One client connection: reads requests one after the other, answers each before it looks at the next. */
class Connection {
  private readonly socket: net.Socket;
  private readonly shared: Shared;
  private readonly remoteAddress: string;
  /** Bytes received and not yet consumed. */
  private buffer: Buffer | null = null;
  private body: Body | null = null;
  private busy = false;
  private served = false;
  private ended = false;
  private gone = false;
  private paused = false;
  private since: number;
  private onDrain: (() => void) | null = null;
  private stream: BodyStream | null = null;

  constructor(socket: net.Socket, shared: Shared, onClose: () => void) {
    this.socket = socket;
    this.shared = shared;
    this.since = shared.world.clock.monotonic();
    this.remoteAddress = (socket.remoteAddress ?? '').replace(/^::ffff:/, '');
    socket.on('data', chunk => this.onData(chunk));
    socket.on('end', () => this.onEnd());
    socket.on('error', () => {});
    socket.on('drain', () => this.onDrain?.());
    socket.on('close', () => {
      this.gone = true;
      this.body?.fail(new ClientDisconnected('connection closed'));
      this.stream?.cancel();
      this.onDrain?.();
      onClose();
    });
  }

  destroy(): void {
    this.socket.destroy();
  }

  /** Between requests; `silentToo`: also before the first one. */
  closeIfIdle(silentToo: boolean): void {
    if (!this.busy && !this.buffer && (this.served || silentToo)) this.socket.destroy();
  }

  checkTime(now: number): void {
    if (this.busy) {
      if (this.body?.waiting && now - this.since > this.shared.clientTimeoutMs) {
        this.body.fail(new ClientTimeout('client timed out'));
      }
      return;
    }
    const limit = this.buffer ? LIMITS.headersTimeoutMs : LIMITS.keepAliveTimeoutMs;
    if (now - this.since > limit) this.socket.destroy();
  }

  private onData(chunk: Buffer): void {
    this.since = this.shared.world.clock.monotonic();
    if (this.body && !this.body.complete) {
      const rest = this.body.feed(chunk);
      if (rest) this.buffer = rest;
      if (this.body.queued > BODY_BUFFER_MAX) this.pause();
      return;
    }
    this.buffer = this.buffer ? Buffer.concat([this.buffer, chunk]) : chunk;
    if (this.busy) {
      if (this.buffer.length > PIPELINE_BUFFER_MAX) this.pause();
      return;
    }
    this.next();
  }

  private onEnd(): void {
    this.ended = true;
    if (this.body && !this.body.complete)
      this.body.fail(new ClientDisconnected('client closed its sending side'));
    if (!this.busy) this.socket.end();
  }

  private pause(): void {
    if (this.paused) return;
    this.paused = true;
    this.socket.pause();
  }

  private resume(): void {
    if (!this.paused) return;
    this.paused = false;
    this.socket.resume();
  }

  /** Starts on the next request if its head has arrived. */
  private next(): void {
    const buffer = this.buffer;
    if (!buffer) {
      if (this.ended || this.shared.stopping) this.socket.end();
      return;
    }
    let start = 0;
    while (start < buffer.length && (buffer[start] === 13 || buffer[start] === 10)) start++;
    const end = buffer.indexOf(CRLF2, start);
    if (end < 0) {
      if (buffer.length > this.shared.headerBytesMax) this.refuse(400);
      else if (this.ended) this.socket.end();
      return;
    }
    if (end > this.shared.headerBytesMax) {
      this.refuse(400);
      return;
    }
    const head = buffer.toString('latin1', start, end);
    this.buffer = end + 4 < buffer.length ? buffer.subarray(end + 4) : null;
    const parsed = parseHead(head);
    if (typeof parsed === 'number') {
      this.refuse(parsed);
      return;
    }
    this.busy = true;
    void this.serve(parsed);
  }

  /** Answers something that is no request, and closes. */
  private refuse(status: number): void {
    this.busy = true;
    this.socket.end(
      `HTTP/1.0 ${status} ${REASONS[status]}\r\nConnection: close\r\nContent-length: 0\r\n\r\n`,
    );
  }

  private async serve(head: Head): Promise<void> {
    const { headers, version } = head;
    const body = new Body(head.length, {
      sendContinue:
        /^100-continue$/i.test(headers.get('expect') ?? '') && version === '1.1'
          ? () => this.socket.write(CONTINUE)
          : null,
      resume: () => this.resume(),
    });
    this.body = body;
    if (this.buffer && !body.complete) {
      const early = this.buffer;
      this.buffer = null;
      const rest = body.feed(early);
      if (rest) this.buffer = rest;
    }
    if (this.ended && !body.complete) body.fail(new ClientDisconnected('client closed its sending side'));
    const request: ServerRequest = {
      method: head.method,
      target: head.target,
      version,
      headers,
      body,
      remoteAddress: this.remoteAddress,
    };
    let response: ServerResponse;
    try {
      response = await this.shared.handler(request);
    } catch (error) {
      this.shared.world.log.error('unhandled error in a request', { method: head.method, error });
      response = {
        status: 500,
        headers: new Map([['content-type', 'text/plain']]),
        body: Buffer.from('Internal server error.\n'),
      };
    }
    const wanted = (headers.get('connection') ?? '').toLowerCase();
    let keep = version === '1.1' ? !wanted.includes('close') : wanted.includes('keep-alive');
    if (head.mustClose || this.shared.stopping) keep = false;
    // A body nobody wanted: read a short rest, give up the connection for a long one.
    if (!body.complete && (!body.started || body.failed)) keep = false;
    // An empty body is never asked for, yet the original's proxy takes a node without a 100 for one that refused.
    if (body.length === 0 && !body.continueSent && response.status !== 507) this.socket.write(CONTINUE);
    if (!(await this.write(request, response, keep && body.complete))) return;
    this.body = null;
    if (!keep || !body.complete) {
      this.socket.end();
      // Let the peer read the answer before the connection goes.
      if (!body.complete) body.drain(DRAIN_BODY_MAX);
      this.shared.world.clock.after(2000, () => this.socket.destroy());
      return;
    }
    this.busy = false;
    this.served = true;
    this.since = this.shared.world.clock.monotonic();
    this.resume();
    if (this.buffer || this.ended || this.shared.stopping) this.next();
  }

  /** Sends a response; false if the connection broke. */
  private async write(request: ServerRequest, response: ServerResponse, keep: boolean): Promise<boolean> {
    const { socket } = this;
    let body = response.body;
    const { headers } = response;
    let chunked = false;
    if (Buffer.isBuffer(body) || body === null) {
      if (!headers.has('content-length'))
        headers.set('content-length', String(body === null ? 0 : body.length));
    } else if (!headers.has('content-length')) {
      if (request.version === '1.1') chunked = true;
      else keep = false;
    }
    let head = `HTTP/1.1 ${response.status} ${response.reason ?? REASONS[response.status] ?? 'Unknown'}\r\n`;
    for (const [name, value] of headers) {
      if (name === 'connection' || name === 'transfer-encoding' || name === 'date') continue;
      head += `${titleCase(name)}: ${/[\r\n\0]/.test(value) ? value.replace(/[\r\n\0]+/g, ' ') : value}\r\n`;
    }
    head += `Date: ${this.shared.date()}\r\n`;
    if (chunked) head += 'Transfer-Encoding: chunked\r\n';
    if (!keep) head += 'Connection: close\r\n';
    else if (request.version === '1.0') head += 'Connection: keep-alive\r\n';
    head += '\r\n';
    if (request.method === 'HEAD' || response.status === 204 || response.status === 304) {
      if (body !== null && !Buffer.isBuffer(body)) body.cancel();
      body = null;
    }
    if (this.gone) {
      if (body !== null && !Buffer.isBuffer(body)) body.cancel();
      return false;
    }
    if (body === null || (Buffer.isBuffer(body) && body.length === 0)) {
      socket.write(head, 'latin1');
      return true;
    }
    if (Buffer.isBuffer(body)) {
      if (body.length < 16384) {
        const whole = Buffer.allocUnsafe(head.length + body.length);
        whole.write(head, 0, 'latin1');
        body.copy(whole, head.length);
        if (!socket.write(whole)) await this.drained();
      } else {
        socket.cork();
        socket.write(head, 'latin1');
        const free = socket.write(body);
        socket.uncork();
        if (!free) await this.drained();
      }
      return !this.gone;
    }
    return this.writeStream(
      head,
      body,
      chunked,
      chunked ? null : Number(headers.get('content-length') ?? Number.NaN),
    );
  }

  private async writeStream(
    head: string,
    body: BodyStream,
    chunked: boolean,
    expected: number | null,
  ): Promise<boolean> {
    const { socket } = this;
    this.stream = body;
    let sent = 0;
    let pendingHead: string | null = head;
    try {
      for (;;) {
        const chunk = await body.read();
        if (this.gone) {
          body.cancel();
          return false;
        }
        if (chunk === null) break;
        if (chunk.length === 0) continue;
        sent += chunk.length;
        socket.cork();
        if (pendingHead !== null) {
          socket.write(pendingHead, 'latin1');
          pendingHead = null;
        }
        if (chunked) socket.write(`${chunk.length.toString(16)}\r\n`, 'latin1');
        let free = isLent(chunk)
          ? socket.write(chunk, error => (error ? undefined : releaseSlab(chunk)))
          : socket.write(chunk);
        if (chunked) free = socket.write('\r\n', 'latin1');
        socket.uncork();
        if (!free) await this.drained();
        if (this.gone) {
          body.cancel();
          return false;
        }
      }
    } catch (error) {
      // The head is out: a cut connection is the only honest way to say that the rest is missing.
      this.shared.world.log.warn('response broken off', { error });
      body.cancel();
      if (pendingHead !== null) socket.write(pendingHead, 'latin1');
      socket.destroySoon();
      return false;
    } finally {
      this.stream = null;
    }
    if (pendingHead !== null) socket.write(pendingHead, 'latin1');
    if (chunked) socket.write('0\r\n\r\n', 'latin1');
    else if (expected !== null && !Number.isNaN(expected) && sent !== expected) {
      socket.destroySoon();
      return false;
    }
    return true;
  }

  private drained(): Promise<void> {
    if (this.gone) return Promise.resolve();
    return new Promise(resolve => {
      this.onDrain = () => {
        this.onDrain = null;
        resolve();
      };
    });
  }
}

interface Head {
  method: string;
  target: string;
  version: '1.0' | '1.1';
  headers: Headers;
  /** Body length; null for chunked. */
  length: number | null;
  mustClose: boolean;
}

/** Reads a request's head; a number is the status to refuse it with. */
function parseHead(head: string): Head | number {
  let lineEnd = head.indexOf('\r\n');
  const first = lineEnd < 0 ? head : head.slice(0, lineEnd);
  const space = first.indexOf(' ');
  const lastSpace = first.lastIndexOf(' ');
  if (space <= 0 || lastSpace <= space) return 400;
  const method = first.slice(0, space);
  const target = first.slice(space + 1, lastSpace);
  const protocol = first.slice(lastSpace + 1);
  if (!TOKEN.test(method) || target === '' || target.includes(' ')) return 400;
  if (protocol !== 'HTTP/1.1' && protocol !== 'HTTP/1.0') return 400;
  if (target.length > 8192) return 414;
  const headers: Headers = new Map();
  while (lineEnd >= 0) {
    const start = lineEnd + 2;
    lineEnd = head.indexOf('\r\n', start);
    const line = lineEnd < 0 ? head.slice(start) : head.slice(start, lineEnd);
    const colon = line.indexOf(':');
    if (colon <= 0) return 400;
    const rawName = line.slice(0, colon);
    if (!HEADER_NAME.test(rawName)) return 400;
    const name = lowerName(rawName);
    const value = line.slice(colon + 1).trim();
    if (/[\r\n\0]/.test(value)) return 400;
    const before = headers.get(name);
    if (before === undefined) headers.set(name, value);
    else if (name === 'content-length' || name === 'host') {
      if (before !== value) return 400;
    } else if (name === 'content-type') headers.set(name, value);
    else headers.set(name, `${before},${value}`);
  }
  let length: number | null = 0;
  let mustClose = false;
  const coding = headers.get('transfer-encoding');
  const given = headers.get('content-length');
  if (coding !== undefined && coding.toLowerCase() === 'chunked') {
    length = null;
    if (given !== undefined) {
      // Two framings at once are how requests are smuggled past a proxy: the chunked one counts, the connection ends.
      headers.delete('content-length');
      mustClose = true;
    }
    headers.set('transfer-encoding', 'chunked');
  } else if (given !== undefined) {
    if (!/^-?\d{1,16}$/.test(given)) return 400;
    length = Math.max(0, Number(given));
    if (Number(given) < 0) mustClose = true;
  }
  if (coding !== undefined && length !== null) mustClose = true;
  return { method, target, version: protocol === 'HTTP/1.1' ? '1.1' : '1.0', headers, length, mustClose };
}

/** A request's body: fed by the socket, pulled by the handler. */
class Body implements RequestBody {
  readonly length: number | null;
  complete: boolean;
  failed: Error | null = null;
  started = false;
  continueSent: boolean;
  queued = 0;
  private remaining: number;
  private readonly queue: Buffer[] = [];
  private waiter: { resolve: (chunk: Buffer | null) => void; reject: (error: Error) => void } | null = null;
  private readonly hooks: { sendContinue: (() => void) | null; resume: () => void };
  private dropping = -1;
  /** Chunked framing: bytes of a line not yet whole. */
  private partial: Buffer | null = null;
  private phase: 'size' | 'data' | 'data-end' | 'trailer' = 'size';

  constructor(length: number | null, hooks: { sendContinue: (() => void) | null; resume: () => void }) {
    this.length = length;
    this.remaining = length ?? 0;
    this.complete = length === 0;
    this.hooks = hooks;
    this.continueSent = hooks.sendContinue === null;
  }

  get waiting(): boolean {
    return this.waiter !== null;
  }

  read(): Promise<Buffer | null> {
    this.started = true;
    const chunk = this.queue.shift();
    if (chunk) {
      this.queued -= chunk.length;
      if (this.queued < BODY_BUFFER_MAX / 2) this.hooks.resume();
      return Promise.resolve(chunk);
    }
    if (this.failed) return Promise.reject(this.failed);
    if (this.complete) return Promise.resolve(null);
    if (!this.continueSent) {
      this.continueSent = true;
      this.hooks.sendContinue!();
    }
    this.hooks.resume();
    return new Promise((resolve, reject) => {
      this.waiter = { resolve, reject };
    });
  }

  cancel(): void {
    this.queue.length = 0;
    this.queued = 0;
  }

  /** Throws away what still comes, at most `limit` bytes of it. */
  drain(limit: number): void {
    this.cancel();
    this.dropping = limit;
    this.hooks.resume();
  }

  fail(error: Error): void {
    if (this.complete || this.failed) return;
    this.failed = error;
    const waiter = this.waiter;
    this.waiter = null;
    waiter?.reject(error);
  }

  private push(chunk: Buffer): void {
    if (this.dropping >= 0) {
      this.dropping -= chunk.length;
      return;
    }
    const waiter = this.waiter;
    if (waiter) {
      this.waiter = null;
      waiter.resolve(chunk);
    } else {
      this.queue.push(chunk);
      this.queued += chunk.length;
    }
  }

  private finish(): void {
    this.complete = true;
    const waiter = this.waiter;
    this.waiter = null;
    waiter?.resolve(null);
  }

  /** Takes bytes from the socket; returns those that belong to the next request. */
  feed(chunk: Buffer): Buffer | null {
    if (this.failed) return null;
    if (this.length !== null) {
      if (chunk.length < this.remaining) {
        this.remaining -= chunk.length;
        this.push(chunk);
        return null;
      }
      const mine = chunk.length === this.remaining ? chunk : chunk.subarray(0, this.remaining);
      const rest = chunk.length === this.remaining ? null : chunk.subarray(this.remaining);
      this.remaining = 0;
      if (mine.length) this.push(mine);
      this.finish();
      return rest;
    }
    return this.feedChunked(chunk);
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
        if (data.length > 4096) this.fail(new BadFraming('chunk line too long'));
        else if (data.length) this.partial = data;
        return null;
      }
      const line = data.toString('latin1', 0, newline).replace(/\r$/, '');
      data = data.subarray(newline + 1);
      if (this.phase === 'data-end') {
        if (line !== '') {
          this.fail(new BadFraming('chunk longer than announced'));
          return null;
        }
        this.phase = 'size';
      } else if (this.phase === 'size') {
        // Clients that print the size with Python's hex() put 0x before it.
        const match = /^(?:0[xX])?([0-9a-fA-F]{1,12})[ \t]*(?:;.*)?$/.exec(line);
        if (!match) {
          this.fail(new BadFraming('bad chunk size'));
          return null;
        }
        this.remaining = Number.parseInt(match[1]!, 16);
        this.phase = this.remaining === 0 ? 'trailer' : 'data';
      } else if (line === '') {
        this.finish();
        return data.length ? data : null;
      }
    }
  }
}
