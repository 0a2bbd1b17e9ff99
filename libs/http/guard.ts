import type { Server, ServerOptions } from 'node:http';
import type { Server as AnyServer } from 'node:net';
import { LIMITS } from '@folsom/core';
import { dropStalledReaders } from './stalled-readers.ts';

/** How long a client may be slow, in milliseconds. */
export interface Guard {
  /** For the head of a request. */
  headersMs: number;
  /** For taking anything of an answer that waits for him. */
  stallMs: number;
}

export const GUARD: Guard = { headersMs: LIMITS.headersTimeoutMs, stallMs: LIMITS.writeStallMs };

/** What every HTTP server of node's is made with. Bodies have limits where they are read: an upload may take its time. */
export const guardedSettings = ({ headersMs }: Guard = GUARD): ServerOptions => ({
  maxHeaderSize: LIMITS.headerBytesMax,
  noDelay: true,
  headersTimeout: headersMs,
  requestTimeout: 0,
  keepAliveTimeout: LIMITS.keepAliveTimeoutMs,
  // How exactly the limits of time are kept; node looks every 30 s.
  connectionsCheckingInterval: Math.ceil(headersMs / 6),
});

/** Ends connections whose reader has stalled, and those that a server took over from `outer`, which listens in its place. */
export function guard(server: AnyServer, { stallMs }: Guard = GUARD, outer?: AnyServer): void {
  dropStalledReaders(server, stallMs);
  if (outer === undefined) return;
  // Node counts the time of heads from here on, and stops at the close.
  server.emit('listening');
  outer.once('close', () => (server as Server).close());
}
