import { crc32 } from 'node:zlib';
import type { Clock, Logger } from '@folsom/core';
import { must } from '@folsom/core';
import { MemcachedConnection } from '@folsom/memcache';
import type { TokenStore } from './token-store.ts';

/**
 * Tokens in memcached, so that they outlive this process and several can share them, with the keys and the spread over
 * servers that Folsom's client uses.
 */
export function memcachedTokenStore(
  servers: readonly string[],
  { clock, log }: { clock: Clock; log: Logger },
): TokenStore {
  const connections = servers.map(server => new MemcachedConnection(server, clock, log));
  const at = async <T>(key: string, ask: (connection: MemcachedConnection) => Promise<T>): Promise<T> => {
    const connection = must(
      connections[((crc32(key) >>> 16) & 0x7fff || 1) % connections.length],
      'connections has it',
    );
    try {
      return await ask(connection);
    } catch (error) {
      connection.failed(error);
      throw error;
    }
  };
  return {
    get: async key => (await at(key, connection => connection.read(key)))?.data.toString('utf8'),
    set: async (key, value, ttlS) => {
      const stored = await at(key, connection => connection.store(key, 0, ttlS, Buffer.from(value, 'utf8')));
      if (!stored) throw new Error('memcached did not keep a token');
    },
    delete: key => at(key, connection => connection.remove(key)),
    close: async () => {
      for (const connection of connections) connection.close();
    },
  };
}
