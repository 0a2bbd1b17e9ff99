import type { Door, DoorAnswer } from '@folsom/outbound';
import { discard, type FetchOptions, fetchFrom, textOf } from './fetching.ts';
import { storeFault } from './store.ts';

export interface SwiftLogin {
  /** `1` or `2`. */
  version: string;
  /** With scheme. */
  authUrl: string;
  /** Version 2: `tenant:user`. */
  user: string;
  key: string;
  region: string | null;
  internalName: boolean;
}

export interface SwiftSession {
  storageUrl: string;
  token: string;
}

/** An account of swift; logs in when it must, and once more when its token was refused. */
export interface SwiftConnection {
  request(
    method: string,
    path: readonly string[],
    options?: Omit<FetchOptions, 'method' | 'door'> & { query?: Record<string, string> },
  ): Promise<DoorAnswer>;
}

const AUTH_ANSWER_BYTES_MAX = 1024 * 1024;

export function swiftConnection(login: SwiftLogin | SwiftSession, door: Door): SwiftConnection {
  const preset = 'storageUrl' in login ? login : null;
  let session: Promise<SwiftSession> | null = preset ? Promise.resolve(preset) : null;
  const current = (): Promise<SwiftSession> => {
    session ??= logIn(login as SwiftLogin, door).catch(error => {
      session = null;
      throw error;
    });
    return session;
  };
  const send: SwiftConnection['request'] = async (method, path, options = {}) => {
    const { storageUrl, token } = await current();
    const { query, headers, ...rest } = options;
    const url = new URL(
      [storageUrl.replace(/\/+$/, ''), ...path.map(part => encodeURIComponent(part))].join('/'),
    );
    for (const [name, value] of Object.entries(query ?? {})) url.searchParams.set(name, value);
    return fetchFrom(url, { ...rest, method, door, headers: { ...headers, 'x-auth-token': token } });
  };
  return {
    request: async (method, path, options) => {
      const response = await send(method, path, options);
      // A body that was streamed cannot be sent again.
      const repeatable = options?.body === undefined || Buffer.isBuffer(options.body);
      if (response.status !== 401 || preset || !repeatable) return response;
      discard(response);
      session = null;
      return send(method, path, options);
    },
  };
}

async function logIn(login: SwiftLogin, door: Door): Promise<SwiftSession> {
  const session = login.version.startsWith('1') ? await logIn1(login, door) : await logIn2(login, door);
  if (!login.internalName) return session;
  const url = new URL(session.storageUrl);
  url.hostname = `snet-${url.hostname}`;
  return { ...session, storageUrl: url.toString() };
}

async function logIn1(login: SwiftLogin, door: Door): Promise<SwiftSession> {
  const response = await fetchFrom(new URL(login.authUrl), {
    method: 'GET',
    door,
    headers: { 'x-auth-user': login.user, 'x-auth-key': login.key },
  });
  discard(response);
  const storageUrl = response.headers['x-storage-url'];
  const token = response.headers['x-auth-token'] ?? response.headers['x-storage-token'];
  if (response.status >= 300 || typeof storageUrl !== 'string' || typeof token !== 'string') {
    throw refused();
  }
  return { storageUrl, token };
}

async function logIn2(login: SwiftLogin, door: Door): Promise<SwiftSession> {
  const cut = login.user.indexOf(':');
  if (cut < 0 || login.user.indexOf(':', cut + 1) >= 0) throw storeFault('BadStoreUri');
  const body = Buffer.from(
    JSON.stringify({
      auth: {
        tenantName: login.user.slice(0, cut),
        passwordCredentials: { username: login.user.slice(cut + 1), password: login.key },
      },
    }),
  );
  const response = await fetchFrom(new URL(`${login.authUrl.replace(/\/+$/, '')}/tokens`), {
    method: 'POST',
    door,
    headers: { 'content-type': 'application/json', 'content-length': String(body.byteLength) },
    body,
  });
  const text = await textOf(response, AUTH_ANSWER_BYTES_MAX);
  if (response.status >= 300) throw refused();
  const { access } = JSON.parse(text) as {
    access?: { token?: { id?: string }; serviceCatalog?: unknown[] };
  };
  const storageUrl = objectStoreUrl(access?.serviceCatalog ?? [], login.region);
  if (!access?.token?.id || storageUrl === null) throw refused();
  return { storageUrl, token: access.token.id };
}

const refused = () =>
  storeFault('BackendError', {}, { message: 'The image store refused the login of the image service.' });

/** Public address of the object store in a v2.0 catalog. */
export function objectStoreUrl(catalog: readonly unknown[], region: string | null): string | null {
  for (const entry of catalog as { type?: string; endpoints?: { region?: string; publicURL?: string }[] }[]) {
    if (entry?.type !== 'object-store') continue;
    for (const endpoint of entry.endpoints ?? []) {
      if (endpoint.publicURL && (region === null || endpoint.region === region)) return endpoint.publicURL;
    }
  }
  return null;
}

/** @throws the store's fault for any other status; its body is discarded. */
export async function expectStatus(response: DoorAnswer, statuses: readonly number[]): Promise<void> {
  const status = response.status;
  if (statuses.includes(status)) return;
  discard(response);
  if (status === 404) throw storeFault('ImageDataNotFound');
  if (status === 409) throw storeFault('DuplicateImageData');
  if (status === 413 || status === 507) throw storeFault('StorageFull');
  throw storeFault('BackendError', {}, { message: `The image store answered with status ${status}.` });
}
