import { startOnPort } from './on-port.ts';
import type { ThrowAwayServer } from './servers.ts';

/** A memcached of the test's own. */
export const startMemcached = (): Promise<ThrowAwayServer> =>
  startOnPort('memcached', ({ port }) => [
    ...['-u', 'root'],
    ...['-l', '127.0.0.1'],
    ...['-p', `${port}`],
    ...['-U', '0'],
    ...['-m', '16'],
    ...['-t', '1'],
  ]);
