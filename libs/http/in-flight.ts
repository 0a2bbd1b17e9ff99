import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

/** Which request each connection is at. */
export interface RequestsInFlight {
  watch(server: Pick<Server, 'on'>): void;
  /**
   * For a connection whose parser failed: if a request that had arrived whole is being answered, the answer goes out
   * and the connection is closed behind it. False if there is none, or if it is that request itself which is broken.
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
      if (!at?.request.complete || at.response.writableFinished || at.response.destroyed) return false;
      if (!at.response.headersSent) at.response.setHeader('connection', 'close');
      at.response.once('finish', () => socket.end());
      return true;
    },
  };
}
