import { startOnPort } from './on-port.ts';
import type { ThrowAwayServer } from './servers.ts';

export interface RedisServer extends ThrowAwayServer {
  /** `redis://127.0.0.1:PORT` */
  url: string;
}

/** A Redis of the test's own that keeps nothing on disk. */
export async function startRedis(): Promise<RedisServer> {
  const server = await startOnPort('redis', ({ port, directory }) => [
    ...['--port', `${port}`],
    ...['--bind', '127.0.0.1'],
    ...['--dir', directory],
    ...['--save', ''],
    ...['--appendonly', 'no'],
  ]);
  return { ...server, url: `redis://127.0.0.1:${server.port}` };
}
