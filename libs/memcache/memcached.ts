import { hash } from 'node:crypto';
import net from 'node:net';
import type { Clock, Logger, World } from '@folsom/core';
import { type Pickled, pickle, unpickle } from '@folsom/pickle';
import { LRUCache } from 'lru-cache';

/** A cache shared by the proxies of a cluster, or one process's own. Values are plain JSON data. Never throws. */
export interface Cache {
  get(key: string): Promise<unknown>;
  /** Keeps a value for `seconds`; 0 keeps it until it is pushed out. */
  set(key: string, value: unknown, seconds: number): Promise<void>;
  delete(key: string): Promise<void>;
  /** Adds to a counter (made with `delta` if absent, at least 0); null when no cache answers. */
  increment(key: string, delta: number): Promise<number | null>;
  close(): void;
}

/** The cache of one process. */
export function memoryCache({ clock }: Pick<World, 'clock'>, entriesMax = 100_000): Cache {
  const entries = new LRUCache<string, { value: unknown; until: number }>({ max: entriesMax });
  const read = (key: string): unknown => {
    const entry = entries.get(key);
    if (!entry) return undefined;
    if (entry.until < clock.monotonic()) {
      entries.delete(key);
      return undefined;
    }
    return entry.value;
  };
  return {
    get: async key => read(key),
    set: async (key, value, seconds) => {
      const until = seconds > 0 ? clock.monotonic() + seconds * 1000 : Number.POSITIVE_INFINITY;
      entries.set(key, { value, until });
    },
    delete: async key => void entries.delete(key),
    increment: async (key, delta) => {
      const next = Math.max(0, Number(read(key) ?? 0) + delta);
      entries.set(key, { value: next, until: Number.POSITIVE_INFINITY });
      return next;
    },
    close: () => entries.clear(),
  };
}

const POINTS_PER_SERVER = 50;
const PICKLE_FLAG = 1;
const JSON_FLAG = 2;
const CONNECT_MS = 300;
const ANSWER_MS = 2000;
const TRIES = 3;
const ERRORS_MAX = 10;
const ERROR_PAUSE_MS = 60_000;
const VALUE_BYTES_MAX = 1024 * 1024;

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
      const { server } = points[position]!;
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
      const connection = connections.get(server)!;
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
      const head = `set ${key} ${counter ? 0 : pickled ? PICKLE_FLAG : JSON_FLAG} ${until} ${text.length}\r\n`;
      await onFirst(key, connection =>
        connection.line(Buffer.concat([Buffer.from(head), text, Buffer.from('\r\n')])),
      );
    },
    delete: async plain => {
      const key = md5(plain);
      await onFirst(key, connection => connection.line(Buffer.from(`delete ${key}\r\n`)));
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

/** One connection to a memcached; commands follow each other, each with a time limit. */
class MemcachedConnection {
  private readonly server: string;
  private readonly clock: Clock;
  private readonly log: Logger;
  private socket: net.Socket | null = null;
  private buffer = Buffer.alloc(0);
  private wake: (() => void) | null = null;
  private broken: Error | null = null;
  private tail: Promise<unknown> = Promise.resolve();
  private errors: number[] = [];
  private restUntil = 0;

  constructor(server: string, clock: Clock, log: Logger) {
    this.server = server;
    this.clock = clock;
    this.log = log;
  }

  resting(): boolean {
    return this.restUntil > this.clock.monotonic();
  }

  failed(error: unknown): void {
    this.close();
    const now = this.clock.monotonic();
    this.log.error('memcached failed', { server: this.server, error });
    this.errors = [...this.errors.filter(at => at > now - ERROR_PAUSE_MS), now];
    if (this.errors.length > ERRORS_MAX) this.restUntil = now + ERROR_PAUSE_MS;
  }

  close(): void {
    this.socket?.destroy();
    this.socket = null;
  }

  /** Sends a command and reads its one line of answer. */
  line(command: Buffer): Promise<string> {
    return this.inTurn(async () => {
      (await this.connected()).write(command);
      return this.readLine();
    });
  }

  read(key: string): Promise<{ flags: number; data: Buffer } | null> {
    return this.inTurn(async () => {
      (await this.connected()).write(`get ${key}\r\n`);
      let found: { flags: number; data: Buffer } | null = null;
      for (;;) {
        const [word, name, flags, size] = (await this.readLine()).split(' ');
        if (word !== 'VALUE') return found;
        const length = Number(size);
        if (!(length >= 0 && length <= VALUE_BYTES_MAX)) throw new Error('value too long');
        await this.until(() => this.buffer.length >= length + 2);
        if (name === key)
          found = { flags: Number(flags), data: Buffer.from(this.buffer.subarray(0, length)) };
        this.buffer = this.buffer.subarray(length + 2);
      }
    });
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.tail.then(work, work);
    this.tail = done.catch(() => {});
    return done;
  }

  private async connected(): Promise<net.Socket> {
    if (this.socket && !this.socket.destroyed) return this.socket;
    const [host, port] = this.server.split(':');
    const socket = net.connect({ host: host || '127.0.0.1', port: Number(port ?? 11211), noDelay: true });
    this.broken = null;
    this.buffer = Buffer.alloc(0);
    await new Promise<void>((resolve, reject) => {
      const timer = this.clock.after(CONNECT_MS, () => {
        socket.destroy();
        reject(new Error('connecting took too long'));
      });
      socket.once('connect', () => {
        timer.cancel();
        resolve();
      });
      socket.once('error', error => {
        timer.cancel();
        reject(error);
      });
    });
    socket.on('data', chunk => {
      this.buffer = Buffer.concat([this.buffer, chunk]);
      this.wake?.();
    });
    const end = (error?: Error) => {
      this.broken = error ?? new Error('connection closed');
      this.wake?.();
    };
    socket.on('error', end);
    socket.on('close', () => end());
    this.socket = socket;
    return socket;
  }

  private async until(ready: () => boolean): Promise<void> {
    if (ready()) return;
    const timer = this.clock.after(ANSWER_MS, () => {
      this.broken = new Error('answer took too long');
      this.wake?.();
    });
    try {
      while (!ready()) {
        if (this.broken) throw this.broken;
        await new Promise<void>(resolve => {
          this.wake = resolve;
        });
        this.wake = null;
      }
    } finally {
      timer.cancel();
    }
  }

  private async readLine(): Promise<string> {
    await this.until(() => this.buffer.includes('\r\n'));
    const end = this.buffer.indexOf('\r\n');
    const line = this.buffer.toString('latin1', 0, end);
    this.buffer = this.buffer.subarray(end + 2);
    return line;
  }
}
