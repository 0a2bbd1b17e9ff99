import { type BackgroundProcess, startBackground } from '@folsom/host/background';
import { freePort } from './places.ts';
import { connects, requireProgram, type ThrowAwayServer, untilUp } from './servers.ts';

/** A memcached of the test's own. */
export async function startMemcached(): Promise<ThrowAwayServer> {
  const program = requireProgram('memcached');
  const port = await freePort();
  let server: BackgroundProcess | undefined;
  const start = async () => {
    if (server?.running) return;
    const argv = [
      program,
      '-u',
      'root',
      '-l',
      '127.0.0.1',
      '-p',
      `${port}`,
      '-U',
      '0',
      '-m',
      '16',
      '-t',
      '1',
    ];
    server = await startBackground(argv, { dieWithParent: true });
    await untilUp(server, () => connects(port), { timeoutMs: 60_000, log: () => '' });
  };
  const stop = async () => server?.stop(3000);
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
      await stop();
      await start();
    },
  };
}
