import { must } from '@folsom/core';
import { isHeader, isMethod, isTarget } from './head.ts';
import type { BodyStream, Headers } from './message.ts';

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
  /** Whether a piece is still read after `write` has resolved: then its memory must not be used for something else. */
  keeps(chunk: Buffer): boolean;
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

/** A request that would not arrive as what it is; nothing of it is sent. */
export class BadCall extends Error {
  override readonly name = 'BadCall';
}

/** Throws {@link BadCall} unless method and target stay what they are on the wire. */
export function checkCall(call: Pick<Call, 'method' | 'path'>): void {
  if (!isMethod(call.method)) throw new BadCall('not a method');
  if (!isTarget(call.path)) throw new BadCall('control bytes or blanks in a request target');
}

/** The same for a header. */
export function checkHeader(name: string, value: string): void {
  if (!isHeader(name, value)) throw new BadCall('a line break in a header');
}

/** Reads a small answer to its end. */
export async function internalText(response: InternalResponse, limit = 16 * 1024 * 1024): Promise<Buffer> {
  if (response.whole && response.whole.length <= limit) return response.whole;
  const parts: Buffer[] = [];
  let size = 0;
  for (;;) {
    const chunk = await response.body.read();
    if (chunk === null)
      return parts.length === 1 ? must(parts[0], 'parts is not empty') : Buffer.concat(parts);
    size += chunk.length;
    if (size > limit) {
      response.body.cancel();
      throw new Error(`answer longer than ${limit} bytes`);
    }
    parts.push(chunk);
  }
}
