import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Fault, LIMITS, type World } from '@folsom/core';
import { type CatalogEndpoint, joinEndpoints, readEndpoints } from './catalog.ts';
import type { AuthTokenSettings } from './options.ts';
import { type Revocation, readRevocations } from './revocations.ts';
import { isAdminRole, type TokenInfo } from './token.ts';

/** The identity service as other services use it, with the rights of the service's own user. */
export interface KeystoneClient {
  /** The service's own token; asked for once and kept until shortly before it expires. */
  token(): Promise<string>;
  /** Null for a token that is unknown, expired or revoked. */
  validate(token: string): Promise<TokenInfo | null>;
  /** Revocations made since; null when the identity service does not offer them (the original does not). */
  revocations(question: RevocationQuestion): Promise<RevocationNews | null>;
  /** Public keys of signed tokens in PEM, by id. */
  tokenKeys(): Promise<Record<string, string>>;
  endpoints(): Promise<CatalogEndpoint[]>;
  /** A token for a signed EC2 request (the `credentials` of POST /ec2tokens); null when the signature is refused. */
  ec2Login(credentials: Record<string, unknown>): Promise<TokenInfo | null>;
  /** The same for S3 (POST /s3tokens). */
  s3Login(credentials: Record<string, unknown>): Promise<TokenInfo | null>;
  /** Any call of the admin API, e.g. `('GET', '/users/ID')`; null for 404. Other refusals are Faults. */
  call(method: Method, path: string, body?: unknown): Promise<Record<string, unknown> | null>;
  close(): Promise<void>;
}

export interface RevocationQuestion {
  /** Moment of the latest that is known, in ms since the epoch. */
  since: number;
  /** Of the answer before: the identity service answers when it has news, or after some seconds. */
  state?: string;
  signal: AbortSignal;
}

export interface RevocationNews {
  list: Revocation[];
  /** Undefined where the service does not wait. */
  state: string | undefined;
}

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'HEAD';

interface Response {
  status: number;
  document: Record<string, unknown>;
}

/** A token is replaced this long before it expires. */
const RENEW_BEFORE_MS = 30_000;
const ATTEMPTS_MAX = 3;
const RETRY_MS = 200;
const REQUEST_MS = Math.min(15_000, LIMITS.remoteCallMs);
const CONNECTIONS_MAX = 32;
const RESPONSE_BYTES_MAX = 4 * 1024 * 1024;

const unavailable = (message: string, cause?: unknown) =>
  new Fault('IdentityUnavailable', 503, message, { cause });

export function keystoneClient(settings: AuthTokenSettings, world: World): KeystoneClient {
  const { origin, pathname } = new URL(settings.adminUrl);
  const prefix = pathname === '/' ? '' : pathname;
  // Loaded here: services beside their keystone in one process never ask over HTTP.
  const { Pool } = createRequire(import.meta.url)('undici') as typeof import('undici');
  const pool = new Pool(origin, {
    connections: CONNECTIONS_MAX,
    headersTimeout: REQUEST_MS,
    bodyTimeout: REQUEST_MS,
    maxResponseSize: RESPONSE_BYTES_MAX,
    connect: {
      timeout: REQUEST_MS,
      // Who answers is checked unless somebody wrote that it shall not be.
      rejectUnauthorized: !settings.insecure,
      ...(settings.cafile ? { ca: readFileSync(settings.cafile) } : {}),
      ...(settings.certfile ? { cert: readFileSync(settings.certfile) } : {}),
      ...(settings.keyfile ? { key: readFileSync(settings.keyfile) } : {}),
    },
  });

  const request = async (
    method: Method,
    path: string,
    headers: Record<string, string>,
    body?: unknown,
    signal?: AbortSignal,
  ): Promise<Response> => {
    for (let attempt = 1; ; attempt++) {
      try {
        const response = await pool.request({
          method,
          path: prefix + path,
          headers: {
            accept: 'application/json',
            ...(body === undefined ? {} : { 'content-type': 'application/json' }),
            ...headers,
          },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
          ...(signal === undefined ? {} : { signal }),
        });
        const text = await response.body.text();
        return { status: response.statusCode, document: parse(text) };
      } catch (error) {
        // Asking again is harmless: every call of ours may be repeated.
        if (attempt >= ATTEMPTS_MAX || signal?.aborted) {
          throw unavailable(`the identity service at ${origin} does not answer`, error);
        }
        await world.clock.sleep(RETRY_MS * attempt);
      }
    }
  };

  let own: { token: string; expiresAt: number } | undefined;
  let asking: Promise<string> | undefined;

  const login = async (): Promise<string> => {
    const { adminUser, adminPassword, adminTenantName } = settings;
    if (adminUser === null || adminPassword === null) {
      throw unavailable('no admin_user and admin_password are configured for the identity service');
    }
    const { status, document } = await request(
      'POST',
      '/v2.0/tokens',
      {},
      {
        auth: {
          passwordCredentials: { username: adminUser, password: adminPassword },
          tenantName: adminTenantName,
        },
      },
    );
    const token = (document.access as Access | undefined)?.token;
    if (status !== 200 || !token) {
      throw unavailable(`the identity service does not let user ${adminUser} in (${status})`);
    }
    own = { token: token.id, expiresAt: Date.parse(token.expires) };
    return own.token;
  };

  const token = async (): Promise<string> => {
    if (settings.adminToken !== null) return settings.adminToken;
    if (own && own.expiresAt - RENEW_BEFORE_MS > world.clock.now()) return own.token;
    asking ??= login().finally(() => {
      asking = undefined;
    });
    return asking;
  };

  /** With our own token, which is renewed once when it is refused. */
  const authorized = async (
    method: Method,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
    signal?: AbortSignal,
  ): Promise<Response> => {
    const used = await token();
    const response = await request(method, path, { 'x-auth-token': used, ...headers }, body, signal);
    if (response.status !== 401 || settings.adminToken !== null) return response;
    if (own?.token === used) own = undefined;
    return request(method, path, { 'x-auth-token': await token(), ...headers }, body, signal);
  };

  const refused = ({ status, document }: Response): Fault => {
    const message = String((document.error as { message?: unknown } | undefined)?.message ?? '');
    return status >= 500 || status === 401 || status === 403
      ? unavailable(`the identity service refuses this service (${status}): ${message}`)
      : new Fault('IdentityRefused', status, message);
  };

  const call = async (method: Method, path: string, body?: unknown, signal?: AbortSignal) => {
    const response = await authorized(method, `/v2.0${path}`, body, {}, signal);
    if (response.status === 404) return null;
    if (response.status >= 300) throw refused(response);
    return response.document;
  };

  const isAlive = async (id: string): Promise<boolean> =>
    (await request('HEAD', `/v2.0/tokens/${encodeURIComponent(id)}`, { 'x-auth-token': id })).status < 300;

  const signedLogin = async (path: string, credentials: Record<string, unknown>) => {
    const send = async () => {
      const used = await token();
      return { used, response: await request('POST', path, { 'x-auth-token': used }, { credentials }) };
    };
    const first = await send();
    let { response } = first;
    // Refused signature, or has our own token ended? Only the latter is worth a new login.
    if (response.status === 401 && settings.adminToken === null && !(await isAlive(first.used))) {
      if (own?.token === first.used) own = undefined;
      ({ response } = await send());
    }
    if ([400, 401, 404].includes(response.status)) return null;
    if (response.status !== 200) throw refused(response);
    return readAccess((response.document.access as Access).token.id, response.document);
  };

  return {
    token,
    call: (method, path, body) => call(method, path, body),
    validate: async id => {
      const response = await authorized('GET', `/v2.0/tokens/${encodeURIComponent(id)}`, undefined, {
        'x-token-issued-at': '1',
      });
      if (response.status === 404) return null;
      if (response.status !== 200) throw refused(response);
      return readAccess(id, response.document);
    },
    revocations: async ({ since, state: known, signal }) => {
      const question = new URLSearchParams({ since: String(since), ...(known ? { state: known } : {}) });
      const answer = await call('GET', `/OS-FOLSOM/revocations?${question}`, undefined, signal);
      if (answer === null) return null;
      const { list, state } = (answer.revocations ?? {}) as { list?: unknown; state?: unknown };
      return { list: readRevocations(list), state: typeof state === 'string' ? state : undefined };
    },
    tokenKeys: async () => {
      const { status, document } = await request('GET', '/v2.0/OS-FOLSOM/token-keys', {});
      if (status !== 200 || !Array.isArray(document.keys)) return {};
      return Object.fromEntries(
        (document.keys as { kid?: unknown; pem?: unknown }[]).flatMap(key =>
          typeof key.kid === 'string' && typeof key.pem === 'string' ? [[key.kid, key.pem]] : [],
        ),
      );
    },
    endpoints: async () => {
      // The original has two lists, and with a catalog of templates not even those.
      const own = await call('GET', '/OS-FOLSOM/endpoints');
      if (own !== null) return readEndpoints(own.endpoints);
      const [services, endpoints] = await Promise.all([
        call('GET', '/OS-KSADM/services'),
        call('GET', '/endpoints'),
      ]);
      const list = (value: unknown) => (Array.isArray(value) ? (value as Record<string, unknown>[]) : []);
      return joinEndpoints(list(services?.['OS-KSADM:services']), list(endpoints?.endpoints));
    },
    ec2Login: credentials => signedLogin('/v2.0/ec2tokens', credentials),
    s3Login: credentials => signedLogin('/v2.0/s3tokens', credentials),
    close: () => pool.close(),
  };
}

function parse(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return value !== null && typeof value === 'object' ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

interface Access {
  token: {
    id: string;
    expires: string;
    issued_at?: string;
    tenant?: { id: string; name: string };
  };
  user: { id: string; name: string; roles?: { name: string }[] };
  serviceCatalog?: unknown[];
}

function readAccess(id: string, document: Record<string, unknown>): TokenInfo | null {
  const access = document.access as Access | undefined;
  if (!access?.token || !access.user) return null;
  const expiresAt = Date.parse(access.token.expires);
  if (Number.isNaN(expiresAt)) return null;
  const roles = (access.user.roles ?? []).map(role => role.name);
  const issuedAt = access.token.issued_at === undefined ? Number.NaN : Date.parse(access.token.issued_at);
  return {
    id,
    expiresAt,
    userId: access.user.id,
    userName: access.user.name,
    tenantId: access.token.tenant?.id ?? null,
    tenantName: access.token.tenant?.name ?? null,
    roles,
    isAdmin: roles.some(isAdminRole),
    serviceCatalog: access.serviceCatalog ?? [],
    ...(Number.isNaN(issuedAt) ? {} : { issuedAt }),
  };
}
