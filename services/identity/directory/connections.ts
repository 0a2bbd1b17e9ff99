import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { connect, type TLSSocket, type ConnectionOptions as TlsOptions } from 'node:tls';
import { Client } from 'ldapts';
import { Pool } from 'tarn';
import { codeOf, DirectoryAway, meaning } from './faults.ts';

export interface ConnectionOptions {
  /** `ldap://` or `ldaps://`; the first that answers is taken. */
  urls: readonly string[];
  /** Empty: anonymous. */
  user: string;
  password: string;
  startTls: boolean;
  /** Certificates of authorities (PEM); null: the system's. */
  ca: string | null;
  /** Connections at most. */
  size: number;
  /** For every answer, for connecting, and for waiting for a free connection. */
  timeoutMs: number;
}

/** Connections that are open for work, and such that only try passwords: whoever binds changes whose connection it is. */
export interface Connections {
  /** @throws DirectoryAway; refusals with a code of `CODES`; a Fault for others */
  use<T>(doing: 'searching' | 'changing', work: (client: Client) => Promise<T>): Promise<T>;
  /** Whether a bind with this name and password succeeds. @throws DirectoryAway */
  accepts(dn: string, password: string): Promise<boolean>;
  stop(): Promise<void>;
}

/** Idle connections are closed before most firewalls forget them. */
const IDLE_MS = 60_000;
/** The directory's trouble, not a wrong password: it is busy, unavailable, out of time, or something else broke. */
const UNDECIDED = new Set([1, 2, 3, 11, 51, 52, 80]);

export const certificates = (file: string | null): string | null =>
  file === null ? null : readFileSync(file, 'utf8');

export function connections(options: ConnectionOptions): Connections {
  const { timeoutMs, size } = options;
  const working = pool(
    options,
    client => client.isBound,
    async client => client.bind(options.user, options.password),
  );
  // Bound as nobody first, so that a directory that is away shows before a password is sent.
  const trying = pool(
    options,
    client => client.isConnected,
    async client => client.bind('', ''),
  );

  const borrow = async <T>(from: Pool<Client>, work: (client: Client) => Promise<T>): Promise<T> => {
    const client = await from.acquire().promise.catch(error => {
      throw new DirectoryAway(`the directory cannot be reached: ${reasonOf(error)}`, { cause: error });
    });
    try {
      return await work(client);
    } finally {
      from.release(client);
    }
  };
  return {
    use: (doing, work) =>
      borrow(working, async client => {
        try {
          return await work(client);
        } catch (error) {
          throw meaning(error, doing);
        }
      }),
    accepts: (dn, password) => {
      // A bind without a password succeeds as nobody (RFC 4513, 5.1.2).
      if (password === '') return Promise.resolve(false);
      return borrow(trying, async client => {
        try {
          await client.bind(dn, password);
          return true;
        } catch (error) {
          const code = codeOf(error);
          if (code === null || UNDECIDED.has(code)) throw meaning(error, 'searching');
          return false;
        }
      });
    },
    stop: async () => {
      await Promise.all([working.destroy(), trying.destroy()]);
    },
  };

  function pool(
    { urls }: ConnectionOptions,
    usable: (client: Client) => boolean,
    prepare: (client: Client) => Promise<void>,
  ): Pool<Client> {
    // One that is silent must not keep the next from being tried.
    const openingMs = timeoutMs * urls.length;
    return new Pool<Client>({
      create: () => openFirst(urls, options, prepare),
      validate: usable,
      destroy: client => client.unbind().catch(() => {}),
      min: 0,
      max: size,
      acquireTimeoutMillis: openingMs,
      createTimeoutMillis: openingMs,
      destroyTimeoutMillis: timeoutMs,
      idleTimeoutMillis: IDLE_MS,
      // Who waits hears why at once.
      propagateCreateError: true,
    });
  }
}

const reasonOf = (error: unknown): string => {
  const { message, code } = error as Error & { code?: unknown };
  return message === '' ? String(code) : message;
};

/** Whose certificate is expected. */
function nameOf(url: string): Pick<TlsOptions, 'host' | 'servername'> {
  const host = new URL(url).hostname.replace(/^\[|\]$/g, '');
  return isIP(host) === 0 ? { host, servername: host } : { host };
}

/** A handshake that must come to its end: the library waits for it without a limit. */
const withinTime =
  (timeoutMs: number): typeof connect =>
  (...given: unknown[]) => {
    const socket = (connect as (...given: unknown[]) => TLSSocket)(...given);
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error('the TLS handshake takes too long')));
    return socket.once('secureConnect', () => void socket.setTimeout(0));
  };

async function openFirst(
  urls: readonly string[],
  options: ConnectionOptions,
  prepare: (client: Client) => Promise<void>,
): Promise<Client> {
  let last: unknown = new Error('no url is configured');
  for (const url of urls) {
    const { timeoutMs: timeout, ca } = options;
    const trusted = ca === null ? {} : { ca };
    const secure = url.startsWith('ldaps:');
    const client = new Client({
      url,
      timeout,
      connectTimeout: timeout,
      ...(secure ? { tlsOptions: { minVersion: 'TLSv1.2', ...trusted } } : {}),
      ...(options.startTls ? { createSecureConnection: withinTime(timeout) } : {}),
    });
    try {
      if (options.startTls && !secure)
        await client.startTLS({ minVersion: 'TLSv1.2', ...nameOf(url), ...trusted });
      await prepare(client);
      return client;
    } catch (error) {
      last = error;
      await client.unbind().catch(() => {});
    }
  }
  throw last;
}
