import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BackgroundProcess, startBackground } from '@folsom/host/background';
import { freePort, tempDir } from './places.ts';
import { connects, requireProgram, type ThrowAwayServer, untilUp } from './servers.ts';

export interface RedisServer extends ThrowAwayServer {
  /** `redis://127.0.0.1:PORT` */
  url: string;
}

/** A Redis of the test's own that keeps nothing on disk. */
export async function startRedis(): Promise<RedisServer> {
  const program = requireProgram('redis');
  const dir = tempDir('folsom-redis');
  const port = await freePort();
  const logFile = join(dir.path, 'redis.log');
  const log = () => (existsSync(logFile) ? readFileSync(logFile, 'utf8') : '');
  let server: BackgroundProcess | undefined;

  const start = async () => {
    if (server?.running) return;
    server = await startBackground(
      [
        program,
        '--port',
        `${port}`,
        '--bind',
        '127.0.0.1',
        '--dir',
        dir.path,
        '--save',
        '',
        '--appendonly',
        'no',
      ],
      { logFile, dieWithParent: true },
    );
    await untilUp(server, () => connects(port), { timeoutMs: 60_000, log });
  };
  const stop = async () => {
    await server?.stop(5000);
    dir.remove();
  };
  try {
    await start();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    host: '127.0.0.1',
    port,
    url: `redis://127.0.0.1:${port}`,
    start,
    stop,
    kill: async () => {
      server?.signal('SIGKILL');
      await server?.ended;
    },
    restart: async () => {
      await server?.stop(5000);
      await start();
    },
  };
}
