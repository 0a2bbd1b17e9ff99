import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BackgroundProcess, startBackground } from '@folsom/host/background';
import { freePort, tempDir } from './places.ts';
import { connects, requireProgram, type ServerKind, type ThrowAwayServer, untilUp } from './servers.ts';

/** Where a server stands: a port of its own, and a folder that goes with it. */
export interface Place {
  port: number;
  directory: string;
}

/** Starts a server that is up when it takes connections. `arguments_` are told where it stands; they may write files there. */
export async function startOnPort(
  kind: ServerKind,
  arguments_: (place: Place) => readonly string[],
): Promise<ThrowAwayServer> {
  const program = requireProgram(kind);
  const dir = tempDir(`folsom-${kind}`);
  const port = await freePort();
  const argv = [program, ...arguments_({ port, directory: dir.path })];
  const logFile = join(dir.path, `${kind}.log`);
  const log = () => (existsSync(logFile) ? readFileSync(logFile, 'utf8') : '');
  let server: BackgroundProcess | undefined;

  const start = async () => {
    if (server?.running) return;
    server = await startBackground(argv, { logFile, dieWithParent: true });
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
