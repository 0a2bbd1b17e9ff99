import net from 'node:net';
import { setImmediate as endOfTurn } from 'node:timers/promises';
import type { Clock, Logger } from '@folsom/core';

const CONNECT_MS = 300;
const ANSWER_MS = 2000;
const ERRORS_MAX = 10;
const ERROR_PAUSE_MS = 60_000;
/** As large as memcached takes one. */
export const VALUE_BYTES_MAX = 1024 * 1024;
/** Keys that are asked for at once. */
const KEYS_MAX = 64;
/** A key with a blank or a line end in it would be another command. */
const KEY = /^[\x21-\x7e]{1,250}$/;

/** A value as memcached keeps it. */
export interface Stored {
  flags: number;
  data: Buffer;
}

/** Keys that one command will ask for. */
interface Gathering {
  keys: Set<string>;
  found: Promise<Map<string, Stored>>;
}

/**
 * One connection to a memcached; commands follow each other, each with a time limit. Of the protocol three commands are used; a client
 * library would place keys on servers by a rule of its own, where swift's proxies and ours must look at the same place.
 */
export class MemcachedConnection {
  private readonly server: string;
  private readonly clock: Clock;
  private readonly log: Logger;
  private socket: net.Socket | null = null;
  private buffer = Buffer.alloc(0);
  private wake: (() => void) | null = null;
  private broken: Error | null = null;
  private tail: Promise<unknown> = Promise.resolve();
  private gathering: Gathering | null = null;
  private errors: number[] = [];
  private restUntil = 0;
  private lastFailure: unknown = null;

  constructor(server: string, clock: Clock, log: Logger) {
    this.server = server;
    this.clock = clock;
    this.log = log;
  }

  resting(): boolean {
    return this.restUntil > this.clock.monotonic();
  }

  /** Closes the connection and counts a failure; once, however many were waiting for the answer that did not come. */
  failed(error: unknown): void {
    if (error === this.lastFailure) return;
    this.lastFailure = error;
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
    // What is read from now on is read after this.
    this.gathering = null;
    return this.inTurn(async () => {
      (await this.connected()).write(command);
      return this.readLine();
    });
  }

  /** Keeps a value until a time in seconds, or for so many if they are fewer than a month's; 0: for good. */
  async store(key: string, flags: number, until: number, value: Buffer): Promise<boolean> {
    const head = `set ${checked(key)} ${flags} ${until} ${value.length}\r\n`;
    return (await this.line(Buffer.concat([Buffer.from(head), value, Buffer.from('\r\n')]))) === 'STORED';
  }

  async remove(key: string): Promise<void> {
    await this.line(Buffer.from(`delete ${checked(key)}\r\n`));
  }

  /** A value, or null. Reads side by side are one command, which is sent after all of them were asked for. */
  async read(key: string): Promise<Stored | null> {
    checked(key);
    if (!this.gathering || this.gathering.keys.size >= KEYS_MAX) this.gathering = this.gather();
    const { keys, found } = this.gathering;
    keys.add(key);
    return (await found).get(key) ?? null;
  }

  private gather(): Gathering {
    const keys = new Set<string>();
    const made: Gathering = {
      keys,
      found: this.inTurn(async () => {
        try {
          const socket = await this.connected();
          await endOfTurn();
          socket.write(`get ${[...keys].join(' ')}\r\n`);
        } finally {
          if (this.gathering === made) this.gathering = null;
        }
        return this.values();
      }),
    };
    return made;
  }

  private async values(): Promise<Map<string, Stored>> {
    const found = new Map<string, Stored>();
    for (;;) {
      const [word, name, flags, size] = (await this.readLine()).split(' ');
      if (word !== 'VALUE' || name === undefined) return found;
      const length = Number(size);
      if (!(length >= 0 && length <= VALUE_BYTES_MAX)) throw new Error('value too long');
      await this.until(() => this.buffer.length >= length + 2);
      found.set(name, { flags: Number(flags), data: Buffer.from(this.buffer.subarray(0, length)) });
      this.buffer = this.buffer.subarray(length + 2);
    }
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

function checked(key: string): string {
  if (!KEY.test(key)) throw new Error('memcached: not a key');
  return key;
}
