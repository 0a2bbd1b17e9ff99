import type net from 'node:net';
import type { Logger } from '@folsom/core';
import { CHUNK_END, chunkHead, LAST_CHUNK } from './framing.ts';
import { type BodyStream, type Headers, lowerName, REASONS, type ServerResponse } from './message.ts';
import { isLent, releaseSlab } from './slabs.ts';

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

const WHOLE_MAX = 16_384;

/** The socket of a response. */
export interface Outlet {
  socket: net.Socket;
  /** Whether the peer is gone. */
  gone(): boolean;
  /** Resolves when there is room for more, or the peer is gone. */
  drained(): Promise<void>;
  /** Told of bytes of a body that are being sent. */
  moved(bytes: number): void;
  log: Logger;
}

/** What a response has to know of its request. */
export interface Answered {
  method: string;
  version: '1.0' | '1.1';
}

/** How a body goes out: a head that says so, and whether the connection may be kept. */
function plan(request: Answered, response: ServerResponse): { chunked: boolean; mayKeep: boolean } {
  const { body, headers } = response;
  if (headers.has('content-length')) return { chunked: false, mayKeep: true };
  if (Buffer.isBuffer(body) || body === null) {
    headers.set('content-length', String(body === null ? 0 : body.length));
    return { chunked: false, mayKeep: true };
  }
  return request.version === '1.1' ? { chunked: true, mayKeep: true } : { chunked: false, mayKeep: false };
}

function headOf(request: Answered, response: ServerResponse, chunked: boolean, keep: boolean, date: string) {
  let head = `HTTP/1.1 ${response.status} ${response.reason ?? REASONS[response.status] ?? 'Unknown'}\r\n`;
  for (const [name, value] of response.headers) {
    if (name === 'connection' || name === 'transfer-encoding' || name === 'date') continue;
    head += `${titleCase(name)}: ${/[\r\n\0]/.test(value) ? value.replace(/[\r\n\0]+/g, ' ') : value}\r\n`;
  }
  head += `Date: ${date}\r\n`;
  if (chunked) head += 'Transfer-Encoding: chunked\r\n';
  if (!keep) head += 'Connection: close\r\n';
  else if (request.version === '1.0') head += 'Connection: keep-alive\r\n';
  return `${head}\r\n`;
}

/**
 * Sends a response. `stream` is told which body is on its way, and null afterwards.
 * @returns whether all of it was sent and whether another may follow
 */
export async function writeResponse(
  out: Outlet,
  request: Answered,
  response: ServerResponse,
  options: { keep: boolean; date: string; stream: (body: BodyStream | null) => void },
): Promise<{ sent: boolean; keep: boolean }> {
  const { chunked, mayKeep } = plan(request, response);
  const keep = options.keep && mayKeep;
  const head = headOf(request, response, chunked, keep, options.date);
  let { body } = response;
  if (request.method === 'HEAD' || response.status === 204 || response.status === 304) {
    if (body !== null && !Buffer.isBuffer(body)) body.cancel();
    body = null;
  }
  if (out.gone()) {
    if (body !== null && !Buffer.isBuffer(body)) body.cancel();
    return { sent: false, keep };
  }
  if (body === null || Buffer.isBuffer(body)) {
    if (!writeWhole(out.socket, head, body)) await out.drained();
    return { sent: !out.gone(), keep };
  }
  options.stream(body);
  try {
    return { sent: await writeStream(out, head, body, chunked, lengthOf(response.headers)), keep };
  } finally {
    options.stream(null);
  }
}

const lengthOf = (headers: Headers): number | null => {
  const given = headers.get('content-length');
  return given === undefined || Number.isNaN(Number(given)) ? null : Number(given);
};

/** False when the socket holds enough for now. */
function writeWhole(socket: net.Socket, head: string, body: Buffer | null): boolean {
  if (body === null || body.length === 0) return socket.write(head, 'latin1');
  if (body.length < WHOLE_MAX) {
    const whole = Buffer.allocUnsafe(head.length + body.length);
    whole.write(head, 0, 'latin1');
    body.copy(whole, head.length);
    return socket.write(whole);
  }
  socket.cork();
  socket.write(head, 'latin1');
  const free = socket.write(body);
  socket.uncork();
  return free;
}

async function writeStream(
  out: Outlet,
  head: string,
  body: BodyStream,
  chunked: boolean,
  expected: number | null,
): Promise<boolean> {
  const { socket } = out;
  let sent = 0;
  let pendingHead: string | null = head;
  const writeHead = (): void => {
    if (pendingHead !== null) socket.write(pendingHead, 'latin1');
    pendingHead = null;
  };
  try {
    for (;;) {
      const chunk = await body.read();
      if (chunk === null || out.gone()) break;
      if (chunk.length === 0) continue;
      sent += chunk.length;
      out.moved(chunk.length);
      socket.cork();
      writeHead();
      if (chunked) socket.write(chunkHead(chunk.length), 'latin1');
      let free = socket.write(chunk, error => {
        // A connection that broke may hold on to it.
        if (error) return;
        if (isLent(chunk)) releaseSlab(chunk);
        else body.free?.(chunk);
      });
      if (chunked) free = socket.write(CHUNK_END, 'latin1');
      socket.uncork();
      if (!free) await out.drained();
      if (out.gone()) break;
    }
    if (out.gone()) {
      body.cancel();
      return false;
    }
  } catch (error) {
    // The head is out: a cut connection is the only honest way to say that the rest is missing.
    out.log.warn('response broken off', { error });
    body.cancel();
    writeHead();
    socket.destroySoon();
    return false;
  }
  writeHead();
  if (chunked) socket.write(LAST_CHUNK, 'latin1');
  else if (expected !== null && sent !== expected) {
    socket.destroySoon();
    return false;
  }
  return true;
}
