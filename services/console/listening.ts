import type { Server, Socket } from 'node:net';
import { noteListener } from '@folsom/core';

export interface Listening {
  /** `host:port` */
  address: string;
  /** Refuses new connections and ends those there are. */
  stop(): Promise<void>;
}

/** Binds a server and keeps track of its connections. */
export function listen(server: Server, host: string, port: number): Promise<Listening> {
  const sockets = new Set<Socket>();
  server.on('connection', socket => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, () => {
      server.off('error', reject);
      noteListener(server);
      const bound = server.address();
      const actual = bound !== null && typeof bound === 'object' ? bound.port : port;
      resolve({
        address: `${host}:${actual}`,
        stop: async () => {
          const closed = new Promise<void>(done => server.close(() => done()));
          for (const socket of sockets) socket.destroy();
          await closed;
        },
      });
    });
  });
}
