import net from 'node:net';
import type { Clock, Logger } from '@folsom/core';

const CONNECT_MS = 300;
const ANSWER_MS = 2000;
const ERRORS_MAX = 10;
const ERROR_PAUSE_MS = 60_000;
/** As large as memcached takes one. */
export const VALUE_BYTES_MAX = 1024 * 1024;
/** A key with a blank or a line end in it would be another command. */
const KEY = /^[\x21-\x7e]{1,250}$/;

/** One connection to a memcached; commands follow each other, each with a time limit. */
export class MemcachedConnection {
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

  /** Keeps a value until a time in seconds, or for so many if they are fewer than a month's; 0: for good. */
  async store(key: string, flags: number, until: number, value: Buffer): Promise<boolean> {
    const head = `set ${checked(key)} ${flags} ${until} ${value.length}\r\n`;
    return (await this.line(Buffer.concat([Buffer.from(head), value, Buffer.from('\r\n')]))) === 'STORED';
  }

  async remove(key: string): Promise<void> {
    await this.line(Buffer.from(`delete ${checked(key)}\r\n`));
  }

  read(key: string): Promise<{ flags: number; data: Buffer } | null> {
    return this.inTurn(async () => {
      checked(key);
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

function checked(key: string): string {
  if (!KEY.test(key)) throw new Error('memcached: not a key');
  return key;
}
