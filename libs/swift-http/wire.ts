import type net from 'node:net';
import type { Clock } from '@folsom/core';
import { must } from '@folsom/core';
import {
  type Call,
  ConnectionBroken,
  checkHeader,
  type InternalResponse,
  InternalTimeout,
  type OpenRequest,
  type Target,
} from './calls.ts';
import { FramedBody } from './framed-body.ts';
import { CHUNK_END, chunkHead, LAST_CHUNK } from './framing.ts';
import { type AnswerHead, findHead, parseAnswerHead } from './head.ts';
import { HTTP_LIMITS } from './limits.ts';

/** One connection of the client. */
export class Wire {
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
  private incoming: FramedBody | null = null;
  private deadline = Number.POSITIVE_INFINITY;
  private timeoutMs = 0;
  /** Of the piece of a body that is being sent. */
  private sending: { resolve: () => void; reject: (error: Error) => void } | null = null;
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
    const { headWaiter, sending, incoming } = this;
    this.headWaiter = null;
    this.sending = null;
    headWaiter?.reject(error);
    sending?.reject(error);
    incoming?.fail(error);
  }

  private head(target: Target, call: Omit<Call, 'body'>, extra: string): string {
    let lines = '';
    let host = `${target.ip}:${target.port}`;
    for (const [name, value] of call.headers) {
      checkHeader(name, value);
      if (name === 'Host' || name === 'host') host = value;
      // The length of a body that is at hand is ours to say, once.
      else if (extra.startsWith('Content-Length') && /^content-length$/i.test(name)) continue;
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
      this.wait(call.timeoutMs);
      await new Promise<void>((resolve, reject) => {
        this.sending = { resolve, reject };
        const sent = (error?: Error | null): void =>
          error ? reject(new ConnectionBroken(`${this.key}: ${error.message}`)) : resolve();
        if (!chunked) {
          this.socket.write(chunk, sent);
          return;
        }
        this.socket.cork();
        this.socket.write(chunkHead(chunk.length), 'latin1');
        this.socket.write(chunk);
        this.socket.write(CHUNK_END, 'latin1', sent);
        this.socket.uncork();
      });
      this.sending = null;
      this.unwait();
    };
    return {
      early,
      keeps: () => false,
      write,
      finish: async timeoutMs => {
        if (this.broken) throw this.broken;
        if (chunked) this.socket.write(LAST_CHUNK, 'latin1');
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
      else if (incoming.failed) this.destroy();
      else if (incoming.full) this.pause();
      return;
    }
    this.buffer = this.buffer ? Buffer.concat([this.buffer, chunk]) : chunk;
    if (this.headWaiter) this.parse();
    else if (this.buffer.length > HTTP_LIMITS.answerHeadBytesMax) this.destroy();
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
    const buffer = must(this.buffer, 'buffer is there');
    const found = findHead(buffer, HTTP_LIMITS.answerHeadBytesMax);
    if (found === null) return;
    const head = found === 'bad' ? 'sends no head of an answer' : parseAnswerHead(found.text, this.method);
    if (found === 'bad' || typeof head === 'string') {
      this.fail(new ConnectionBroken(`${this.key} ${head}`));
      this.socket.destroy();
      return;
    }
    this.buffer = found.after < buffer.length ? buffer.subarray(found.after) : null;
    const waiter = must(this.headWaiter, 'headWaiter is there');
    this.headWaiter = null;
    this.unwait();
    if (head.status < 200) waiter.resolve('continue');
    else waiter.resolve(this.answerWith(head));
  }

  private answerWith(head: AnswerHead): InternalResponse {
    const { status, reason, headers, framing } = head;
    const done = (): void => {
      this.incoming = null;
      if (head.keep && body.clean && framing !== 'close') this.release(this);
      else this.destroy();
    };
    const body = new FramedBody(framing, HTTP_LIMITS.answerQueueBytesMax, {
      resume: () => this.resume(),
      wait: () => this.wait(this.timeoutMs),
      unwait: () => this.unwait(),
      done,
      abandon: () => this.destroy(),
      framingError: error => new ConnectionBroken(`${this.key}: ${error.message}`),
    });
    if (body.complete) done();
    else {
      this.incoming = body;
      const early = this.buffer;
      this.buffer = null;
      if (early && (body.feed(early)?.length || body.failed)) this.destroy();
      if (this.ended && body.untilClose) body.finish();
    }
    return { status, reason, headers, body, whole: body.whole };
  }
}
