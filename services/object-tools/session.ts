import { must } from '@folsom/core';
import { type InternalClient, internalText } from '@folsom/swift-http';

export const TIMEOUT_MS = 15_000;
export const CONNECT_MS = 5000;

/** Where an account is, and what lets us in. */
export interface Session {
  host: { ip: string; port: number };
  /** `/v1/ACCOUNT` */
  path: string;
  account: string;
  token: string;
}

export interface Credentials {
  authUrl: string;
  /** For version 2 `tenant:user`. */
  user: string;
  key: string;
  /** `1.0` is swift's own protocol, `2.0` keystone's. */
  authVersion: string;
}

/** A token, and the place of the account it is good for. */
export async function login(client: InternalClient, credentials: Credentials): Promise<Session> {
  const [storage, token] = /^2(\.0)?$/.test(credentials.authVersion)
    ? await loginV2(client, credentials)
    : await loginV1(client, credentials);
  return { ...sessionAt(storage), token };
}

/** The parts of a storage URL. */
export function sessionAt(storageUrl: string): Omit<Session, 'token'> {
  const url = new URL(storageUrl);
  const path = url.pathname.replace(/\/$/, '');
  return {
    host: hostOf(url),
    path,
    account: decodeURIComponent(must(path.split('/').at(-1), 'split is not empty')),
  };
}

const hostOf = (url: URL): Session['host'] => ({
  ip: url.hostname.replace(/^\[|\]$/g, ''),
  port: Number(url.port || 80),
});

async function loginV1(
  client: InternalClient,
  { authUrl, user, key }: Credentials,
): Promise<[string, string]> {
  const url = new URL(authUrl);
  const response = await client.request(hostOf(url), {
    method: 'GET',
    path: url.pathname,
    headers: [
      ['host', url.host],
      ['x-auth-user', user],
      ['x-auth-key', key],
    ],
    connectTimeoutMs: CONNECT_MS,
    timeoutMs: TIMEOUT_MS,
  });
  await internalText(response);
  const storage = response.headers.get('x-storage-url');
  const token = response.headers.get('x-auth-token');
  if (response.status >= 300 || !storage || !token) throw new Error(`login answered ${response.status}`);
  return [storage, token];
}

async function loginV2(
  client: InternalClient,
  { authUrl, user, key }: Credentials,
): Promise<[string, string]> {
  const url = new URL(authUrl);
  const [tenantName, username = tenantName] = user.split(':') as [string, string?];
  const body = Buffer.from(
    JSON.stringify({ auth: { tenantName, passwordCredentials: { username, password: key } } }),
  );
  const response = await client.request(hostOf(url), {
    method: 'POST',
    path: `${url.pathname.replace(/\/$/, '')}/tokens`,
    headers: [
      ['host', url.host],
      ['content-type', 'application/json'],
    ],
    body,
    connectTimeoutMs: CONNECT_MS,
    timeoutMs: TIMEOUT_MS,
  });
  const text = (await internalText(response)).toString('utf8');
  if (response.status >= 300) throw new Error(`login answered ${response.status}`);
  const { access } = JSON.parse(text) as {
    access: {
      token: { id: string };
      serviceCatalog: { type: string; endpoints: { publicURL: string }[] }[];
    };
  };
  const store = access.serviceCatalog.find(({ type }) => type === 'object-store')?.endpoints[0];
  if (!store) throw new Error('the catalog has no object-store');
  return [store.publicURL, access.token.id];
}
