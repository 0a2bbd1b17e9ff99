import net from 'node:net';
import { setImmediate as turnOfTheLoop } from 'node:timers/promises';
import tls from 'node:tls';
import { LIMITS, noteListener, type World } from '@folsom/core';
import { type Acceptors, acceptMore } from '@folsom/host/acceptors';
import { Connection, type Shared } from './connection.ts';
import { HTTP_LIMITS } from './limits.ts';
import type { LocalServers } from './local-servers.ts';
import type { ServerHandler } from './message.ts';
import { dropReadySlabs } from './slabs.ts';
import { spareMemory } from './spare-memory.ts';

/**
 * HTTP/1.1 straight on sockets, for storage servers and for the proxy's public port. node:http's parser refuses what
 * swift answers: methods it does not know (REPLICATE between storage servers; 405 in the proxy's words for any other),
 * negative lengths, chunk sizes as `hex()` writes them. A client that closes its sending side within a body is told
 * 499 here, while node:http takes the connection away from under the handler; a full device answers 507 instead of
 * 100 Continue. Small reads are fast enough that a general server would be most of their cost. What node's parser and
 * this one both take they read alike: `llhttp.test.ts` holds them together.
 */
export interface HttpServer {
  listen(port: number, host: string): Promise<string>;
  /** Stops accepting, lets requests in flight end (at most `graceMs`), closes everything. */
  close(graceMs?: number): Promise<void>;
  /** Open connections, for tests. */
  readonly connections: number;
}

/** How a server listens. */
export interface ListenOptions {
  /** Connections the kernel keeps for us until we accept them. Default LIMITS.listenBacklog. */
  backlog?: number;
  /** Certificate and key in PEM: the server speaks TLS only. */
  tls?: { cert: string; key: string } | null;
}

/** The part of larger options that says how to listen. */
export const listenOptions = ({ backlog, tls: keys }: ListenOptions): ListenOptions => ({
  ...(backlog === undefined ? {} : { backlog }),
  ...(keys ? { tls: keys } : {}),
});

export interface HttpServerOptions extends ListenOptions {
  handler: ServerHandler;
  world: World;
  /** A client may be silent this long within a body. Default 60 s. */
  clientTimeoutMs?: number;
  /** A client may take nothing of its answer this long. Default 60 s. */
  writeStallMs?: number;
  /** A head has this long from its first byte. Default 30 s. */
  headMsMax?: number;
  /** Where clients of the same process find the handler without a connection. */
  local?: LocalServers;
}

/** All servers of a process share its memory. The C library is asked only when there is something to give back. */
const spare = spareMemory(async () => {
  dropReadySlabs();
  await (await import('@folsom/host/memory')).giveBackMemory();
});

export function createHttpServer(options: HttpServerOptions): HttpServer {
  const { world } = options;
  const connections = new Set<Connection>();
  const backlog = options.backlog ?? LIMITS.listenBacklog;
  let acceptors: Acceptors | null = null;
  let accepted = 0;
  let listening: string | null = null;
  let dateSecond = -1;
  let dateText = '';
  const shared: Shared = {
    handler: options.handler,
    world,
    bodySilenceMs: options.clientTimeoutMs ?? HTTP_LIMITS.bodySilenceMs,
    writeStallMs: options.writeStallMs ?? HTTP_LIMITS.writeStallMs,
    headMsMax: options.headMsMax ?? HTTP_LIMITS.headMsMax,
    stopping: false,
    moved: spare.moved,
    date: () => {
      const second = Math.floor(world.clock.now() / 1000);
      if (second !== dateSecond) {
        dateSecond = second;
        dateText = new Date(second * 1000).toUTCString();
      }
      return dateText;
    },
  };
  const accept = (socket: net.Socket): void => {
    const connection = new Connection(socket, shared, () => connections.delete(connection));
    connections.add(connection);
    accepted += 1;
  };
  const server = options.tls
    ? tls.createServer({ allowHalfOpen: true, noDelay: true, ...options.tls }, accept)
    : net.createServer({ allowHalfOpen: true, noDelay: true }, accept);
  const sweep = world.clock.every(1000, () => {
    const now = world.clock.monotonic();
    for (const connection of connections) connection.checkTime(now);
    spare.tick(now);
  });
  return {
    get connections() {
      return connections.size;
    },
    listen: (port, host) =>
      new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen({ port, host, backlog }, () => {
          server.off('error', reject);
          noteListener(server);
          acceptors = acceptMore(server, backlog);
          const address = server.address() as net.AddressInfo;
          listening = `${address.address}:${address.port}`;
          options.local?.register(listening, options.handler);
          resolve(listening);
        });
      }),
    close: async (graceMs = LIMITS.stopGraceMs) => {
      if (listening !== null) options.local?.remove(listening);
      sweep.cancel();
      // The kernel says yes to a client before we see it: take in who is connected by now and what he has sent, for a
      // listening socket that closes resets them all.
      for (let before = -1; before !== accepted; ) {
        before = accepted;
        await turnOfTheLoop();
        await turnOfTheLoop();
      }
      shared.stopping = true;
      const closed = Promise.all([
        new Promise<void>(resolve => server.close(() => resolve())),
        acceptors?.close(),
      ]);
      const started = world.clock.monotonic();
      for (let waited = 0; connections.size && waited < graceMs; waited = world.clock.monotonic() - started) {
        for (const connection of connections) connection.closeIfIdle(waited >= LIMITS.stopSilentMs);
        await world.clock.sleep(10);
      }
      for (const connection of connections) connection.destroy();
      await closed;
    },
  };
}
