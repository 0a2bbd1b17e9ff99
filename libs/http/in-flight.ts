import { type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { systemClock } from '@folsom/core';

/** Which request each connection is at. */
export interface RequestsInFlight {
  watch(server: Pick<Server, 'on'>): void;
  /**
   * For a connection whose parser failed: if a request that had arrived whole is being answered, the answer goes out
   * and the connection is closed behind it. If it is the request itself that broke, and its answer is on the way already,
   * the connection is closed: a second answer would be taken for that of another request. False otherwise.
   */
  closeAfterAnswer(socket: Duplex): boolean;
}

export function requestsInFlight(): RequestsInFlight {
  const current = new WeakMap<Duplex, { request: IncomingMessage; response: ServerResponse }>();
  return {
    watch: server =>
      void server.on('request', (request: IncomingMessage, response: ServerResponse) => {
        current.set(request.socket, { request, response });
      }),
    closeAfterAnswer: socket => {
      const at = current.get(socket);
      if (at === undefined) return false;
      const { request, response } = at;
      const answered = response.headersSent;
      // Nothing is owed: the bytes are a new request, or the answer has not begun.
      if (request.complete ? response.writableFinished || response.destroyed : !answered) return false;
      if (!answered) response.setHeader('connection', 'close');
      if (response.writableFinished || response.destroyed) endNow(socket);
      else response.once('finish', () => endNow(socket));
      return true;
    },
  };
}

/** How long a connection that is being closed stays for its peer to read. */
const LINGER_MS = 2000;

/** Sends what is waiting, and leaves no half of the connection open for ever. */
export function endNow(socket: Duplex, last = ''): void {
  socket.end(last);
  systemClock.after(LINGER_MS, () => socket.destroy());
}

/** Tells a client whose bytes were no request, in plain HTTP, and ends the connection. */
export function refuseBytes(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable) return void socket.destroy();
  const status =
    error.code === 'HPE_HEADER_OVERFLOW' ? '431 Request Header Fields Too Large' : '400 Bad Request';
  endNow(
    socket,
    `HTTP/1.1 ${status}\r\nConnection: close\r\nX-Content-Type-Options: nosniff\r\nContent-Length: 0\r\n\r\n`,
  );
}

/** Refuses an upgrade. Its socket is nobody's but ours: a peer that never closes its side must not keep it. */
export function refuseUpgrade(socket: Duplex, status: number): void {
  if (socket.destroyed) return;
  const reason = STATUS_CODES[status] ?? 'Refused';
  endNow(socket, `HTTP/1.1 ${status} ${reason}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}

/** For servers that are no application of {@link createApp}: one answer for each request, and a refusal for what is none. */
export function refuseBrokenRequests(server: Pick<Server, 'on'>): void {
  const inFlight = requestsInFlight();
  inFlight.watch(server);
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
    if (!inFlight.closeAfterAnswer(socket)) refuseBytes(error, socket);
  });
}
