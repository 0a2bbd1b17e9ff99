import type { Server, Socket } from 'node:net';
import { LIMITS, systemClock } from '@folsom/core';

/** Bytes of answers that the peer has not taken. */
function untaken(socket: Socket): number {
  const handle = (socket as { _handle?: { writeQueueSize?: number } | null })._handle;
  return socket.writableLength + (handle?.writeQueueSize ?? 0);
}

/** Ends connections whose reader takes nothing of what is waiting for him: he would hold it, and an open file, for ever. */
export function dropStalledReaders(server: Server, stallMs: number = LIMITS.writeStallMs): void {
  const sockets = new Map<Socket, { since: number; untaken: number }>();
  const watch = (socket: Socket) => {
    sockets.set(socket, { since: systemClock.monotonic(), untaken: 0 });
    socket.once('close', () => sockets.delete(socket));
  };
  // Of TLS the outer socket counts what waits to be encrypted, the inner one what is.
  for (const event of ['connection', 'secureConnection']) server.on(event, watch);
  // Sockets live in real time, whatever time the service lives in.
  const timer = systemClock.every(Math.min(5_000, Math.ceil(stallMs / 4)), () => {
    const now = systemClock.monotonic();
    for (const [socket, seen] of sockets) {
      const left = untaken(socket);
      if (left === 0 || left !== seen.untaken) sockets.set(socket, { since: now, untaken: left });
      else if (now - seen.since > stallMs) socket.destroy();
    }
  });
  server.once('close', () => timer.cancel());
}
