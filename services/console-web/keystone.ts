import { must } from '@folsom/core';
import type { Door } from '@folsom/outbound';
import { fault } from './faults.ts';
import { CONSOLE_WEB_LIMITS } from './limits.ts';

export interface Project {
  id: string;
  name: string;
  description: string;
}

/** The services the console knows, by the types of keystone's catalog; `identity-admin` is keystone's admin API. */
export const SERVICES = ['compute', 'identity', 'identity-admin', 'image', 'object-store', 'volume'] as const;
export type ServiceName = (typeof SERVICES)[number];

/** A token for one project, and where it is good for. */
export interface Access {
  token: string;
  /** Milliseconds since the epoch. */
  expires: number;
  user: { id: string; name: string };
  project: { id: string; name: string };
  roles: readonly string[];
  /** Base URLs without a slash at the end; identity and image without version. */
  endpoints: Partial<Record<ServiceName, string>>;
}

/** Who may look at the cloud itself. */
export const isAdmin = ({ roles }: Access): boolean => roles.some(role => role.toLowerCase() === 'admin');

export interface Keystone {
  /** @throws WrongCredentials; Unreachable; NoProject */
  login(credentials: {
    username: string;
    password: string;
  }): Promise<{ access: Access; projects: Project[] }>;
  /** The same person in another project. */
  enter(token: string, projectId: string): Promise<Access>;
  projects(token: string): Promise<Project[]>;
}

interface TokenAnswer {
  access?: {
    token?: { id?: string; expires?: string; tenant?: { id: string; name: string } };
    user?: { id: string; name?: string; username?: string; roles?: { name: string }[] };
    serviceCatalog?: CatalogEntry[];
  };
}

interface CatalogEntry {
  type: string;
  endpoints: { region?: string; publicURL?: string; adminURL?: string }[];
}

/** The part of keystone's public API that a login needs. */
export function keystone(options: { door: Door; authUrl: string; region: string | null }): Keystone {
  const base = options.authUrl.replace(/\/+$/, '').replace(/\/v2\.0$/, '');

  const ask = async (
    method: 'GET' | 'POST',
    path: string,
    { token, body }: { token?: string; body?: unknown },
  ): Promise<{ status: number; json: unknown }> => {
    try {
      const answer = await options.door.request(`${base}/v2.0${path}`, {
        method,
        headers: {
          accept: 'application/json',
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(token === undefined ? {} : { 'x-auth-token': token }),
        },
        body: body === undefined ? null : Buffer.from(JSON.stringify(body)),
        signal: AbortSignal.timeout(CONSOLE_WEB_LIMITS.exchangeMs),
      });
      return { status: answer.status, json: await readJson(answer.body) };
    } catch (error) {
      throw fault('Unreachable', { service: 'identity' }, { cause: error });
    }
  };

  const tokenFor = async (auth: object): Promise<Access | { token: string; unscoped: true }> => {
    const { status, json } = await ask('POST', '/tokens', { body: { auth } });
    if (status === 401 || status === 403 || status === 404) throw fault('WrongCredentials');
    const access = (json as TokenAnswer).access;
    const token = access?.token;
    if (status !== 200 || !token?.id || !access?.user) throw refused(status, json);
    if (!token.tenant) return { token: token.id, unscoped: true };
    return {
      token: token.id,
      expires: Date.parse(token.expires ?? '') || Number.MAX_SAFE_INTEGER,
      user: { id: access.user.id, name: access.user.name ?? access.user.username ?? access.user.id },
      project: { id: token.tenant.id, name: token.tenant.name },
      roles: (access.user.roles ?? []).map(role => role.name),
      endpoints: endpointsOf(access.serviceCatalog ?? [], options.region),
    };
  };

  const enter = async (token: string, projectId: string): Promise<Access> => {
    const access = await tokenFor({ token: { id: token }, tenantId: projectId });
    if ('unscoped' in access) throw fault('NoProject');
    return access;
  };

  const projects = async (token: string): Promise<Project[]> => {
    const { status, json } = await ask('GET', '/tenants', { token });
    const { tenants } = json as { tenants?: (Project & { enabled?: boolean })[] };
    if (status !== 200 || !Array.isArray(tenants)) throw refused(status, json);
    return tenants
      .filter(({ enabled }) => enabled !== false)
      .map(({ id, name, description }) => ({ id, name, description: description ?? '' }))
      .sort((a, b) => a.name.localeCompare(b.name));
  };

  return {
    enter,
    projects,
    login: async ({ username, password }) => {
      const first = await tokenFor({ passwordCredentials: { username, password } });
      const mine = await projects(first.token);
      // A user's own project is where keystone leads him; without one it is the first he is a member of.
      if (!('unscoped' in first)) return { access: first, projects: mine };
      if (mine.length === 0) throw fault('NoProject');
      return { access: await enter(first.token, must(mine[0], 'mine is not empty').id), projects: mine };
    },
  };
}

const refused = (status: number, json: unknown) => {
  const message = (json as { error?: { message?: unknown } } | null)?.error?.message;
  return fault('Refused', {
    service: 'identity',
    reason: typeof message === 'string' ? message : `HTTP ${status}`,
  });
};

/** What comes as text and is no JSON is null. */
export async function readJson(body: AsyncIterable<Buffer>): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.byteLength;
    if (size > CONSOLE_WEB_LIMITS.jsonBytesMax) throw new Error('the answer is too long');
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    return null;
  }
}

/** Versions stand in the paths that are asked for: catalogs name some of these services with, some without. */
const VERSION = /\/v\d+(\.\d+)?$/;

function endpointsOf(catalog: readonly CatalogEntry[], region: string | null): Access['endpoints'] {
  const found: Access['endpoints'] = {};
  const at = (type: string) => {
    const { endpoints = [] } = catalog.find(entry => entry.type === type) ?? {};
    return region === null ? endpoints[0] : endpoints.find(endpoint => endpoint.region === region);
  };
  const plain = (url: string | undefined) => url?.replace(/\/+$/, '');
  const put = (name: ServiceName, url: string | undefined) => {
    if (url !== undefined && /^https?:\/\//.test(url)) found[name] = url;
  };
  put('compute', plain(at('compute')?.publicURL));
  put('volume', plain(at('volume')?.publicURL));
  put('object-store', plain(at('object-store')?.publicURL));
  put('image', plain(at('image')?.publicURL)?.replace(VERSION, ''));
  put('identity', plain(at('identity')?.publicURL)?.replace(VERSION, ''));
  put('identity-admin', plain(at('identity')?.adminURL)?.replace(VERSION, ''));
  return found;
}
