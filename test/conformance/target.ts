import { randomBytes } from 'node:crypto';
import http from 'node:http';
import https from 'node:https';

export interface Ask {
  headers?: Record<string, string>;
  body?: string | Buffer;
  /** A query string, without its mark. */
  query?: string;
  /** The path is sent as it is, from the server's root. */
  raw?: boolean;
  as?: 'other' | 'nobody';
}

export interface Answer {
  status: number;
  headers: Record<string, string>;
  body: Buffer;
  text: string;
}

export interface Login {
  storageUrl: string;
  token: string;
}

/** An account of an object store. */
export interface Target {
  /** `/v1/AUTH_x`. */
  root: string;
  login: Login;
  /** A user who has no rights to the account. */
  other: Login | null;
  ask(method: string, path: string, ask?: Ask): Promise<Answer>;
  /** The same, for what the suite itself needs. @throws unless the answer is a success */
  mustDo(method: string, path: string, ask?: Ask): Promise<Answer>;
  /** A container name that nobody has. */
  freshName(): string;
  /** Removes all containers whose names begin like this, and what is in them. */
  sweep(prefix: string): Promise<void>;
  close(): void;
}

/** The path of a name: everything quoted but slashes. */
export const quoted = (name: string): string => name.split('/').map(encodeURIComponent).join('/');

const TIMEOUT_MS = 60_000;

export function targetOf(login: Login, other: Login | null = null): Target {
  const base = new URL(login.storageUrl);
  const root = base.pathname.replace(/\/$/, '');
  const secure = base.protocol === 'https:';
  const agent = secure ? new https.Agent({ keepAlive: false }) : new http.Agent({ keepAlive: false });
  const send = (secure ? https : http).request;

  const ask: Target['ask'] = (method, path, { headers = {}, body, query, raw, as } = {}) => {
    const at = raw ? path : path === '' ? root : `${root}/${quoted(path)}`;
    const token = as === 'nobody' ? null : as === 'other' ? other?.token : login.token;
    const all: Record<string, string> = token ? { 'x-auth-token': token, ...headers } : { ...headers };
    const chunked = Object.keys(all).some(name => name.toLowerCase() === 'transfer-encoding');
    const bodied = body !== undefined || ['PUT', 'POST'].includes(method);
    const lengthGiven = Object.keys(all).some(name => name.toLowerCase() === 'content-length');
    if (bodied && !chunked && !lengthGiven) all['content-length'] = String(Buffer.byteLength(body ?? ''));
    return new Promise((resolve, reject) => {
      const request = send(
        {
          host: base.hostname,
          port: base.port || (secure ? 443 : 80),
          method,
          path: `${at}${query === undefined ? '' : `?${query}`}`,
          headers: all,
          agent,
          timeout: TIMEOUT_MS,
        },
        response => {
          const parts: Buffer[] = [];
          response.on('data', part => parts.push(part as Buffer));
          response.on('error', reject);
          response.on('end', () => {
            const whole = Buffer.concat(parts);
            const found: Record<string, string> = {};
            for (const [name, value] of Object.entries(response.headers))
              found[name] = [value].flat().join(', ');
            resolve({
              status: response.statusCode ?? 0,
              headers: found,
              body: whole,
              text: whole.toString(),
            });
          });
        },
      );
      request.on('timeout', () =>
        request.destroy(new Error(`no answer to ${method} ${at} in ${TIMEOUT_MS} ms`)),
      );
      request.on('error', error => reject(new Error(`${method} ${at}: ${error.message}`)));
      request.end(body);
    });
  };

  const mustDo: Target['mustDo'] = async (method, path, more) => {
    const answer = await ask(method, path, more);
    if (answer.status < 200 || answer.status >= 300) {
      throw new Error(`${method} ${path || 'account'}: ${answer.status} ${answer.text.slice(0, 120)}`);
    }
    return answer;
  };
  const prefix = `conformance-${randomBytes(4).toString('hex')}-`;
  let made = 0;
  return {
    root,
    login,
    other,
    ask,
    mustDo,
    freshName: () => `${prefix}${made++}`,
    sweep: async beginning => {
      const named = await ask('GET', '', { query: `prefix=${encodeURIComponent(beginning)}` });
      const containers = new Set([beginning, ...named.text.split('\n').filter(Boolean)]);
      for (const container of containers) {
        // Versions that come back when an object is deleted need another round.
        for (let round = 0; round < 10; round++) {
          const listed = await ask('GET', container);
          const names = listed.status === 200 ? listed.text.split('\n').filter(Boolean) : [];
          if (names.length === 0) break;
          await Promise.all(names.map(name => ask('DELETE', `${container}/${name}`)));
        }
        await ask('DELETE', container);
      }
    },
    close: () => agent.destroy(),
  };
}

/** Logs in the way of 2012: `GET /auth/v1.0` with a user and a key. @throws with the answer */
export async function logIn(authUrl: string, user: string, key: string): Promise<Login> {
  const response = await fetch(authUrl, { headers: { 'x-storage-user': user, 'x-storage-pass': key } });
  await response.arrayBuffer();
  const storageUrl = response.headers.get('x-storage-url');
  const token = response.headers.get('x-auth-token');
  if (!response.ok || !storageUrl || !token) throw new Error(`no login at ${authUrl}: ${response.status}`);
  return { storageUrl, token };
}
