import { hash } from 'node:crypto';
import type { Clock, Logger } from '@folsom/core';
import { must } from '@folsom/core';
import { type Pickled, pickle, unpickle } from '@folsom/pickle';
import type { Cache } from './cache.ts';
import { MemcachedConnection, VALUE_BYTES_MAX } from './connection.ts';

const POINTS_PER_SERVER = 50;
const PICKLE_FLAG = 1;
const JSON_FLAG = 2;
const TRIES = 3;

const md5 = (text: string): string => hash('md5', text, 'hex');

/** Which servers are asked for a key (its md5), the first first, as swift's consistent hashing has it. */
export function serverOrder(servers: readonly string[]): (key: string) => string[] {
  const points: { at: string; server: string }[] = [];
  for (const server of servers) {
    for (let i = 0; i < POINTS_PER_SERVER; i++) points.push({ at: md5(`${server}-${i}`), server });
  }
  points.sort((a, b) => (a.at < b.at ? -1 : 1));
  const wanted = Math.min(TRIES, servers.length);
  return key => {
    let position = points.findIndex(point => point.at > key);
    if (position < 0) position = points.length;
    const out: string[] = [];
    for (let step = 0; step < points.length && out.length < wanted; step++) {
      position = (position + 1) % points.length;
      const { server } = must(points[position], 'position is in points');
      if (!out.includes(server)) out.push(server);
    }
    return out;
  };
}

/**
 * memcached over its text protocol, keys spread over the servers as swift spreads them, so that original proxies
 * and ours share one cache. Values are JSON unless `serialization` says otherwise, as `memcache_serialization_support`
 * does: 1 also reads pickles, 0 writes them, too, for proxies from before swift 1.7. Pickles are read as data only;
 * with 2 one is as good as absent, whoever wrote it.
 */
export function memcachedCache(
  servers: readonly string[],
  { clock, log, serialization = 2 }: { clock: Clock; log: Logger; serialization?: number },
): Cache {
  const order = serverOrder(servers);
  const connections = new Map(servers.map(server => [server, new MemcachedConnection(server, clock, log)]));

  const onFirst = async <T>(
    key: string,
    ask: (connection: MemcachedConnection) => Promise<T>,
  ): Promise<T | null> => {
    for (const server of order(key)) {
      const connection = must(connections.get(server), 'connections has server');
      if (connection.resting()) continue;
      try {
        return await ask(connection);
      } catch (error) {
        connection.failed(error);
      }
    }
    return null;
  };

  return {
    get: async plain => {
      const key = md5(plain);
      const found = await onFirst(key, connection => connection.read(key));
      if (!found) return undefined;
      if (found.flags & JSON_FLAG) {
        try {
          return JSON.parse(found.data.toString('utf8')) as unknown;
        } catch {
          return undefined;
        }
      }
      if (found.flags & PICKLE_FLAG && serialization <= 1) {
        try {
          return unpickle(found.data);
        } catch {
          return undefined;
        }
      }
      return found.flags === 0 ? found.data.toString('utf8') : undefined;
    },
    set: async (plain, value, seconds) => {
      const key = md5(plain);
      const counter = typeof value === 'number';
      const pickled = !counter && serialization === 0;
      const text = pickled
        ? pickle(value as Pickled)
        : Buffer.from(counter ? String(value) : JSON.stringify(value));
      if (text.length > VALUE_BYTES_MAX) return;
      const until = seconds > 0 ? Math.ceil(clock.now() / 1000 + seconds) : 0;
      const flags = counter ? 0 : pickled ? PICKLE_FLAG : JSON_FLAG;
      await onFirst(key, connection => connection.store(key, flags, until, text));
    },
    delete: async plain => {
      const key = md5(plain);
      await onFirst(key, connection => connection.remove(key));
    },
    increment: async (plain, delta) => {
      const key = md5(plain);
      const command = `${delta < 0 ? 'decr' : 'incr'} ${key} ${Math.abs(Math.trunc(delta))}\r\n`;
      const first = String(Math.max(0, Math.trunc(delta)));
      return onFirst(key, async connection => {
        let line = await connection.line(Buffer.from(command));
        if (line === 'NOT_FOUND') {
          line = await connection.line(Buffer.from(`add ${key} 0 0 ${first.length}\r\n${first}\r\n`));
          if (line === 'STORED') return Number(first);
          line = await connection.line(Buffer.from(command));
        }
        return Number(line);
      });
    },
    close: () => {
      for (const connection of connections.values()) connection.close();
    },
  };
}
