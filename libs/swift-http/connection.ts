import type net from 'node:net';
import type { World } from '@folsom/core';
import { FramedBody } from './framed-body.ts';
import { findHead, mayBeRequest, parseRequestHead, type RequestHead } from './head.ts';
import { keepPiece, readIntoInbox } from './inbox.ts';
import { HTTP_LIMITS } from './limits.ts';
import {
  type BodyStream,
  brokenBodyAnswer,
  ClientDisconnected,
  ClientTimeout,
  REASONS,
  type ServerHandler,
  type ServerRequest,
  type ServerResponse,
} from './message.ts';
import { type Outlet, writeResponse } from './response-writer.ts';

const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n';

/** What the connections of a server share. */
export interface Shared {
  handler: ServerHandler;
  world: World;
  bodySilenceMs: number;
  writeStallMs: number;
  /** Bytes of bodies that came or went. */
  moved(bytes: number): void;
  headMsMax: number;
  stopping: boolean;
  date: () => string;
}

/** Bytes we gave away and the peer has not taken. */
function untaken(socket: net.Socket): number {
  const handle = (socket as { _handle?: { writeQueueSize?: number } | null })._handle;
  return socket.writableLength + (handle?.writeQueueSize ?? 0);
}

/** One client connection: reads requests one after the other, answers each before it looks at the next. */
export class Connection {
  private readonly socket: net.Socket;
  private readonly shared: Shared;
  private readonly remoteAddress: string;
  private readonly outlet: Outlet;
  /** Bytes received and not yet consumed. */
  private buffer: Buffer | null = null;
  private body: FramedBody | null = null;
  private busy = false;
  private served = false;
  private ended = false;
  private gone = false;
  private paused = false;
  /** When the last byte came, or the last request was done with. */
  private since: number;
  /** When the head that is under way began. */
  private headSince: number;
  private stall: { since: number; untaken: number } | null = null;
  private onDrain: (() => void) | null = null;
  private stream: BodyStream | null = null;
  /** Whether what comes is thrown away, and how much was. */
  private draining = false;
  private drained = 0;

  constructor(accepted: net.Socket, shared: Shared, onClose: () => void) {
    const reading = readIntoInbox(accepted, piece => this.onData(piece));
    const socket = reading ?? accepted;
    this.socket = socket;
    this.shared = shared;
    this.since = this.now();
    this.headSince = this.since;
    this.remoteAddress = (socket.remoteAddress ?? '').replace(/^::ffff:/, '');
    this.outlet = {
      socket,
      gone: () => this.gone,
      drained: () => this.untilDrained(),
      log: shared.world.log,
      moved: shared.moved,
    };
    if (!reading) socket.on('data', chunk => this.onData(chunk));
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
    if (this.stall) {
      const left = untaken(this.socket);
      if (left !== this.stall.untaken) this.stall = { since: now, untaken: left };
      else if (now - this.stall.since > this.shared.writeStallMs) this.socket.destroy();
      return;
    }
    if (this.busy) {
      if (this.body?.waiting && now - this.since > this.shared.bodySilenceMs) {
        this.body.fail(new ClientTimeout('client timed out'));
      }
      return;
    }
    if (this.buffer && now - this.headSince > this.shared.headMsMax) this.refuse(408);
    else if (now - this.since > HTTP_LIMITS.idleMsMax) this.socket.destroy();
  }

  private now(): number {
    return this.shared.world.clock.monotonic();
  }

  /** Takes what came, which may be lent only for the moment. */
  private onData(chunk: Buffer): void {
    if (this.draining) {
      this.drained += chunk.length;
      if (this.drained > HTTP_LIMITS.drainBytesMax) this.socket.pause();
      return;
    }
    this.take(chunk);
    if (this.buffer) this.buffer = keepPiece(this.buffer);
  }

  private take(chunk: Buffer): void {
    this.since = this.now();
    if (this.body && !this.body.complete) {
      this.shared.moved(chunk.length);
      const rest = this.body.feed(chunk);
      if (rest) this.buffer = rest;
      if (this.body.full) this.pause();
      return;
    }
    if (!this.buffer) this.headSince = this.since;
    this.buffer = this.buffer ? Buffer.concat([this.buffer, chunk]) : chunk;
    if (this.busy) {
      if (this.buffer.length > HTTP_LIMITS.pipelineBytesMax) this.pause();
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
    const found = findHead(buffer, HTTP_LIMITS.headBytesMax);
    if (found === null) {
      if (this.ended) this.socket.end();
      return;
    }
    const head = found === 'bad' ? 400 : parseRequestHead(found.text);
    if (found === 'bad' || typeof head === 'number') {
      this.refuse(head as number);
      return;
    }
    this.buffer = found.after < buffer.length ? buffer.subarray(found.after) : null;
    this.busy = true;
    void this.serve(head as RequestHead);
  }

  /** Answers something that is no request, and closes. */
  private refuse(status: number): void {
    this.busy = true;
    this.socket.end(
      `HTTP/1.0 ${status} ${REASONS[status]}\r\nConnection: close\r\nX-Content-Type-Options: nosniff\r\nContent-length: 0\r\n\r\n`,
    );
    this.linger();
  }

  /** The peer may read what it was told, then the connection goes. */
  private linger(): void {
    this.shared.world.clock.after(HTTP_LIMITS.lingerMs, () => this.socket.destroy());
  }

  private async serve(head: RequestHead): Promise<void> {
    const { headers, version } = head;
    const expects = /^100-continue$/i.test(headers.get('expect') ?? '') && version === '1.1';
    let continueDue = expects;
    const body = new FramedBody(head.framing, HTTP_LIMITS.bodyQueueBytesMax, {
      resume: () => this.resume(),
      wait: () => {
        if (continueDue) this.socket.write(CONTINUE);
        continueDue = false;
      },
      unwait: () => {},
      done: () => {},
      abandon: () => {},
    });
    this.body = body;
    if (this.buffer && !body.complete) {
      const early = this.buffer;
      this.buffer = body.feed(early);
    }
    if (this.ended && !body.complete) body.fail(new ClientDisconnected('client closed its sending side'));
    const { method, target } = head;
    const request: ServerRequest = {
      method,
      target,
      version,
      headers,
      body,
      remoteAddress: this.remoteAddress,
    };
    const response = await this.answerOf(request);
    // An empty body is never asked for, yet the original's proxy takes a node without a 100 for one that refused.
    if (body.length === 0 && continueDue && response.status !== 507) this.socket.write(CONTINUE);
    const { sent, keep } = await writeResponse(this.outlet, request, response, {
      keep: this.mayKeep(head, body),
      date: this.shared.date(),
      stream: stream => {
        this.stream = stream;
      },
    });
    if (!sent) return;
    this.body = null;
    if (!keep || !body.complete) {
      if (!body.complete) this.drain();
      this.socket.end();
      this.linger();
      return;
    }
    this.busy = false;
    this.served = true;
    this.since = this.now();
    this.headSince = this.since;
    this.resume();
    if (this.buffer || this.ended || this.shared.stopping) this.next();
  }

  private async answerOf(request: ServerRequest): Promise<ServerResponse> {
    try {
      return await this.shared.handler(request);
    } catch (error) {
      const told = brokenBodyAnswer(error, request);
      if (told) return told;
      this.shared.world.log.error('unhandled error in a request', { method: request.method, error });
      return {
        status: 500,
        headers: new Map([['content-type', 'text/plain']]),
        body: Buffer.from('Internal server error.\n'),
      };
    }
  }

  /** Whether another request may follow. A body nobody wanted ends the connection. */
  private mayKeep(head: RequestHead, body: FramedBody): boolean {
    const wanted = (head.headers.get('connection') ?? '').toLowerCase();
    const asked = head.version === '1.1' ? !wanted.includes('close') : wanted.includes('keep-alive');
    if (!asked || head.mustClose || this.shared.stopping || !body.complete || !body.clean) return false;
    // Bytes that can be no request, such as a body nobody announced: what comes after them would not be one either.
    return this.buffer === null || mayBeRequest(this.buffer);
  }

  /** Reads on for a while and throws it away, so that the peer comes to read the answer. */
  private drain(): void {
    this.draining = true;
    this.paused = false;
    this.socket.resume();
  }

  private untilDrained(): Promise<void> {
    if (this.gone) return Promise.resolve();
    this.stall = { since: this.now(), untaken: untaken(this.socket) };
    return new Promise(resolve => {
      this.onDrain = () => {
        this.onDrain = null;
        this.stall = null;
        resolve();
      };
    });
  }
}
