import { createServer, type Server } from 'node:net';
import koffi from 'koffi';

/** Connections that a listening server takes in one turn of the loop. */
export const ACCEPTED_A_TURN = 16;

const fcntl = koffi.load('libc.so.6').func('int fcntl(int fd, int command, ...)');
const F_DUPFD_CLOEXEC = 1030;
/** Not one of the standard three. */
const FIRST_FD = 3;

export interface Acceptors {
  /** Takes no more. Resolves when the connections they took have ended, as `close` of a server does. */
  close(): Promise<void>;
}

/**
 * Has a TCP server that listens take {@link ACCEPTED_A_TURN} of the waiting connections in each turn of the loop. libuv takes
 * one for each handle, so that in a process with much to do in a turn everybody who connects waits in the kernel for as
 * many turns as there are others before him. More handles on the same socket take more; their connections are the server's
 * by its event `connection`. Where that cannot be had, the server goes on alone.
 */
export function acceptMore(server: Server, backlog: number): Acceptors {
  const { _handle: handle, allowHalfOpen } = server as {
    _handle?: { fd?: number } | null;
    allowHalfOpen?: boolean;
  };
  const address = server.address();
  const acceptors: Server[] = [];
  if (address !== null && typeof address === 'object' && handle?.fd !== undefined && handle.fd >= 0) {
    while (acceptors.length < ACCEPTED_A_TURN - 1) {
      const fd = fcntl(handle.fd, F_DUPFD_CLOEXEC, 'int', FIRST_FD) as number;
      if (fd < 0) break;
      const acceptor = createServer({ allowHalfOpen: allowHalfOpen === true, noDelay: true }, socket =>
        server.emit('connection', socket),
      );
      // Of no use then; the others are.
      acceptor.once('error', () => {});
      acceptor.listen({ fd, backlog });
      acceptors.push(acceptor);
    }
  }
  return {
    close: async () => {
      await Promise.all(acceptors.map(one => new Promise<void>(done => one.close(() => done()))));
    },
  };
}
