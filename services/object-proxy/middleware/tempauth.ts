import { createHmac } from 'node:crypto';
import { must, secretsEqual } from '@folsom/core';
import { memoryCache } from '@folsom/memcache';
import { answer, type ServerResponse, splitPath, unquoteBytes } from '@folsom/swift-http';
import { isTrue, type ProxyRequest, remoteClient } from '../request.ts';
import { cleanAcl, parseAcl, referrerAllowed } from './acl.ts';
import type { Middleware } from './middleware.ts';

interface User {
  key: string;
  url: string;
  groups: string[];
}

type CachedToken = [expires: number, groups: string];

/** A token never changes and is never taken back: the shared cache is not asked for it with each request. */
const BELIEVED_SECONDS = 1;
const BELIEVED_MAX = 1000;

/** Users and keys in the conf file, tokens in the cache: swift's own little authentication. */
export const tempAuth: Middleware = (app, conf, tools) => {
  const { clock, random } = tools.world;
  let prefix = conf.str('reseller_prefix', 'AUTH').trim();
  if (prefix && !prefix.endsWith('_')) prefix += '_';
  let authPath = conf.str('auth_prefix', '/auth/') || '/auth/';
  if (!authPath.startsWith('/')) authPath = `/${authPath}`;
  if (!authPath.endsWith('/')) authPath += '/';
  const tokenLife = conf.int('token_life', 86_400);
  const syncHosts = conf.list('allowed_sync_hosts', ['127.0.0.1']);
  const allowOverrides = conf.values.allow_overrides === undefined || isTrue(conf.values.allow_overrides);
  const users = new Map<string, User>();
  for (const [option, value] of Object.entries(conf.values)) {
    const match = /^user_([^_]*)_(.*)$/s.exec(option);
    if (!match) continue;
    const [key, ...groups] = value.split(/\s+/).filter(Boolean);
    if (key === undefined) throw new Error(`${option} has no key set`);
    let url: string;
    if (groups.length && must(groups[groups.length - 1], 'groups is not empty').includes('://'))
      url = must(groups.pop(), 'groups is not empty');
    else {
      const ip = conf.str('bind_ip', '127.0.0.1');
      const scheme = conf.has('cert_file') ? 'https' : 'http';
      url = `${scheme}://${ip === '0.0.0.0' ? '127.0.0.1' : ip}:${conf.str('bind_port', '8080')}/v1/${prefix}${match[1]}`;
    }
    users.set(option.slice('user_'.length).replaceAll('_', ':'), { key, url, groups });
  }

  const denied = (request: ProxyRequest): ServerResponse => answer(request.remoteUser ? 403 : 401, request);

  const authorize = (request: ProxyRequest): ServerResponse | null => {
    const parts = splitPath(request.path, 1, 4, true);
    if (!parts) return answer(404, request);
    const [, account, container, object] = parts;
    if (!account?.startsWith(prefix)) return denied(request);
    const own = request.remoteUser ? request.remoteUser.split(',') : [];
    if (own.includes('.reseller_admin') && account !== prefix && account[prefix.length] !== '.') {
      request.swiftOwner = true;
      return null;
    }
    if (own.includes(account) && ((request.method !== 'DELETE' && request.method !== 'PUT') || container)) {
      request.swiftOwner = true;
      return null;
    }
    if (isContainerSync(request, syncHosts)) return null;
    const { referrers, groups } = parseAcl(request.acl);
    if (referrerAllowed(request.headers.get('referer'), referrers)) {
      return object || groups.includes('.rlistings') ? null : denied(request);
    }
    if (request.remoteUser && own.some(group => groups.includes(group))) return null;
    return denied(request);
  };

  const groupsOf = (accountUser: string, user: User): string => {
    const account = must(accountUser.split(':')[0], 'a split has a first part');
    const groups = [account, accountUser, ...user.groups.filter(group => group !== '.admin')];
    if (user.groups.includes('.admin')) groups.push(user.url.slice(user.url.lastIndexOf('/') + 1));
    return groups.join(',');
  };

  const cachedToken = async (request: ProxyRequest, token: string): Promise<CachedToken | null> => {
    const found = (await request.cache?.get(`${prefix}/token/${token}`)) as CachedToken | undefined;
    return Array.isArray(found) && found[0] >= clock.now() / 1000 ? found : null;
  };

  const believed = memoryCache(tools.world, BELIEVED_MAX);

  const groupsBehind = async (request: ProxyRequest, token: string): Promise<string | null> => {
    const known = (await believed.get(token)) as CachedToken | undefined;
    if (known && known[0] >= clock.now() / 1000) return known[1];
    const found = await cachedToken(request, token);
    if (found) await believed.set(token, found, BELIEVED_SECONDS);
    return found?.[1] ?? null;
  };

  /** The groups behind a token or an S3 signature; null if there are none. */
  const authenticate = async (request: ProxyRequest, token: string | undefined): Promise<string | null> => {
    const s3 = request.headers.get('authorization');
    if (s3 === undefined) return token === undefined ? null : groupsBehind(request, token);
    const credentials = s3.split(' ')[1] ?? '';
    const colon = credentials.lastIndexOf(':');
    const accountUser = credentials.slice(0, Math.max(0, colon));
    const user = users.get(accountUser);
    if (!user || token === undefined) return null;
    const text = Buffer.from(unquoteBytes(token).replace(/-/g, '+').replace(/_/g, '/'), 'base64');
    const signature = createHmac('sha1', user.key).update(text).digest('base64');
    if (!secretsEqual(signature, credentials.slice(colon + 1))) return null;
    request.path = request.path.replace(accountUser, user.url.slice(user.url.lastIndexOf('/') + 1));
    return groupsOf(accountUser, user);
  };

  const giveToken = async (request: ProxyRequest): Promise<ServerResponse> => {
    const parts = splitPath(request.path.slice(authPath.length - 1), 1, 4, true);
    if (!parts) return answer(404, request);
    if (!['v1', 'v1.0', 'auth'].includes(parts[0] ?? '') || request.method !== 'GET')
      return answer(400, request);
    const segments = splitPath(request.path.slice(authPath.length - 1), 1, 3, true);
    if (!segments) return answer(404, request);
    const header = (name: string): string | undefined => request.headers.get(name) || undefined;
    let account: string | undefined;
    let user: string | undefined;
    let key: string | undefined;
    const halves = (text: string): [string, string] => {
      const colon = text.indexOf(':');
      return [text.slice(0, colon), text.slice(colon + 1)];
    };
    if (segments[0] === 'v1' && segments[2] === 'auth') {
      account = segments[1] ?? undefined;
      user = header('x-storage-user');
      if (!user) {
        const whole = header('x-auth-user');
        if (!whole?.includes(':')) return answer(401, request);
        const [named, name] = halves(whole);
        if (named !== account) return answer(401, request);
        user = name;
      }
      key = header('x-storage-pass') ?? header('x-auth-key');
    } else if (segments[0] === 'auth' || segments[0] === 'v1.0') {
      const whole = header('x-auth-user') ?? header('x-storage-user');
      if (!whole?.includes(':')) return answer(401, request);
      [account, user] = halves(whole);
      key = header('x-auth-key') ?? header('x-storage-pass');
    } else return answer(400, request);
    if (!account || !user || !key) return answer(401, request);
    const accountUser = `${account}:${user}`;
    const known = users.get(accountUser);
    if (!known || !secretsEqual(known.key, key)) return answer(401, request);
    if (!request.cache) throw new Error('tempauth needs the cache in front of it');
    const userKey = `${prefix}/user/${accountUser}`;
    let token = (await request.cache.get(userKey)) as string | undefined;
    if (typeof token !== 'string' || !(await cachedToken(request, token))) {
      token = `${prefix}tk${random.hex(32)}`;
      const expires = clock.now() / 1000 + tokenLife;
      await request.cache.set(`${prefix}/token/${token}`, [expires, groupsOf(accountUser, known)], tokenLife);
      await request.cache.set(userKey, token, tokenLife);
    }
    return {
      status: 200,
      headers: new Map([
        ['x-auth-token', token],
        ['x-storage-token', token],
        ['x-storage-url', known.url],
        ['content-length', '0'],
      ]),
      body: null,
    };
  };

  return async request => {
    if (allowOverrides && request.authorizeOverride) return app(request);
    if (request.path.startsWith(authPath)) return giveToken(request);
    const token = request.headers.get('x-auth-token') ?? request.headers.get('x-storage-token');
    if (request.headers.has('authorization') || token?.startsWith(prefix)) {
      const groups = await authenticate(request, token);
      if (groups) {
        request.remoteUser = groups;
        request.authorize = authorize;
        request.cleanAcl = cleanAcl;
      } else if (prefix) return answer(401, null);
      else request.authorize ??= denied;
      return app(request);
    }
    const rest = splitPath(request.path, 1, 2, true)?.[1];
    if (prefix ? rest?.startsWith(prefix) : !request.authorize) {
      request.authorize = authorize;
      request.cleanAcl = cleanAcl;
    } else request.authorize ??= denied;
    return app(request);
  };
};

/** Whether a request is container sync from a host that may, with the container's key. */
export function isContainerSync(request: ProxyRequest, hosts: readonly string[]): boolean {
  const given = request.headers.get('x-container-sync-key');
  return (
    !!request.syncKey &&
    given !== undefined &&
    secretsEqual(given, request.syncKey) &&
    request.headers.has('x-timestamp') &&
    (hosts.includes(request.remoteAddress) || hosts.includes(remoteClient(request)))
  );
}
