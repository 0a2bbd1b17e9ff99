import type { Readable } from 'node:stream';
import type { FastifyRequest } from 'fastify';

/** How much of an unwanted body is read before the connection is cut. */
const DISCARDED_BYTES_MAX = 16 * 1024 ** 3;

/** Whether a body was announced, as Folsom decides it. */
const hasBody = (request: FastifyRequest): boolean =>
  request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0;

/** Bytes announced, or null. */
export const contentLength = (request: FastifyRequest): number | null => {
  const length = request.headers['content-length'];
  return length !== undefined && /^\d+$/.test(length) && Number(length) > 0 ? Number(length) : null;
};

/** A client that sends nothing for so long is given up. */
const UPLOAD_IDLE_MS = 120_000;

const giveUpWhenIdle = ({ raw }: FastifyRequest) =>
  raw.setTimeout(UPLOAD_IDLE_MS, () => raw.destroy(new Error('the client sends nothing')));

/** The body of a streaming route, or null when none was sent. */
export function bodyStream(request: FastifyRequest): Readable | null {
  if (!hasBody(request)) return null;
  giveUpWhenIdle(request);
  return request.raw as Readable;
}

/** Query parameters; of several with one name the last counts. */
export function queryOf(request: FastifyRequest): URLSearchParams {
  const cut = request.url.indexOf('?');
  const all = new URLSearchParams(cut < 0 ? '' : request.url.slice(cut + 1));
  const last = new URLSearchParams();
  for (const [name, value] of all) last.set(name, value);
  return last;
}

/**
 * A refused upload: the rest of the body is read, since the clients of the time send all of it before they look at the answer
 * and took a cut connection for the fault. The connection stays, or closing it would cut it.
 */
export function discardUnreadBody(request: FastifyRequest): void {
  const raw = request.raw;
  if (raw.readableEnded || raw.destroyed || !hasBody(request)) return;
  giveUpWhenIdle(request);
  let size = 0;
  raw.on('data', (chunk: Buffer) => {
    size += chunk.byteLength;
    if (size > DISCARDED_BYTES_MAX) raw.destroy();
  });
  raw.on('error', () => {});
}

/** The address of a resource as WebOb completes it: absolute, by the host the client used. */
export const absoluteUrl = (request: FastifyRequest, path: string): string =>
  request.headers.host ? `${request.protocol}://${request.headers.host}${path}` : path;
