import { connect, createServer, type Socket } from 'node:net';

/** A TCP line between two processes that can be cut as a network is: nothing arrives any more, and nobody is told. */
export interface Line {
  host: string;
  port: number;
  cut(): void;
  mend(): void;
  stop(): Promise<void>;
}

/** @param address where it listens */
export async function line(target: { host: string; port: number }, address = '127.0.0.1'): Promise<Line> {
  let whole = true;
  const sockets = new Set<Socket>();
  const server = createServer(near => {
    const far = connect(target);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on('data', chunk => {
        if (!to.write(chunk)) from.pause();
      });
      to.on('drain', () => {
        if (whole) from.resume();
      });
      from.on('error', () => to.destroy());
      from.on('end', () => to.end());
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
      if (!whole) from.pause();
    }
  });
  await new Promise<void>(resolve => server.listen(0, address, resolve));
  return {
    host: address,
    port: (server.address() as { port: number }).port,
    cut: () => {
      whole = false;
      for (const socket of sockets) socket.pause();
    },
    mend: () => {
      whole = true;
      for (const socket of sockets) socket.resume();
    },
    stop: () =>
      new Promise(resolve => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}
