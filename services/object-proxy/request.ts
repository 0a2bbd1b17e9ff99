import type { World } from '@folsom/core';
import type { Cache } from '@folsom/memcache';
import {
  EMPTY_BODY,
  type Headers,
  parseTarget,
  type RequestBody,
  type ServerRequest,
  type ServerResponse,
} from '@folsom/swift-http';

/**
 * A request on its way through the pipeline. Middleware may change it: what stands here when the proxy's own
 * handler gets it is what is done.
 */
export interface ProxyRequest {
  method: string;
  /** As the client sent it, for the access log. */
  originalMethod: string;
  /** Unquoted path as text (its raw bytes when they are no UTF-8, see `validPath`). */
  path: string;
  validPath: boolean;
  /** Raw query, without `?`. */
  query: string;
  version: '1.0' | '1.1';
  headers: Headers;
  body: RequestBody;
  remoteAddress: string;
  transId: string;
  /** Groups of an authenticated user, separated by commas; null for anonymous. */
  remoteUser: string | null;
  /** Set by an authorization middleware; null lets everything pass. Returns the refusal, or null if allowed. */
  authorize: ((request: ProxyRequest) => ServerResponse | null) | null;
  /** Checks and tidies an access list; throws AclError. */
  cleanAcl: ((name: string, value: string) => string) | null;
  /** A middleware (tempurl, formpost) has authorized the request already. */
  authorizeOverride: boolean;
  /** May see access lists and sync keys. */
  swiftOwner: boolean;
  /** One of the account's own users, not a reseller: never deletes the account itself. */
  accountUser: boolean;
  /** Access list that `authorize` is to look at. */
  acl: string | undefined;
  /** X-Container-Sync-Key of the container in question. */
  syncKey: string | undefined;
  cache: Cache | null;
  /** Short name of the middleware that made this request, for the access log. */
  source: string | null;
  /** Who asks, as an authentication middleware found out. */
  identity: KeystoneIdentity | null;
  /** A copy between containers of one user that versioning makes by itself. */
  versionedCopy: boolean;
}

export interface KeystoneIdentity {
  userName: string | null;
  tenantId: string | null;
  tenantName: string | null;
  roles: readonly string[];
}

export type ProxyApp = (request: ProxyRequest) => Promise<ServerResponse>;

/** WSGI cannot tell `_` from `-` in header names; both mean the same here, too, before anybody looks at them. */
function dashed(headers: Headers): Headers {
  for (const name of headers.keys()) {
    if (!name.includes('_')) continue;
    return new Map([...headers].map(([key, value]) => [key.replaceAll('_', '-'), value]));
  }
  return headers;
}

export function proxyRequest(http: ServerRequest, world: World): ProxyRequest {
  const { path, query, valid } = parseTarget(http.target);
  return {
    method: http.method,
    originalMethod: http.method,
    path,
    validPath: valid,
    query,
    version: http.version,
    headers: dashed(http.headers),
    body: http.body,
    remoteAddress: http.remoteAddress,
    transId: `tx${world.random.hex(32)}`,
    remoteUser: null,
    authorize: null,
    cleanAcl: null,
    authorizeOverride: false,
    swiftOwner: false,
    accountUser: false,
    acl: undefined,
    syncKey: undefined,
    cache: null,
    source: null,
    identity: null,
    versionedCopy: false,
  };
}

/** A request that a middleware or handler makes on its own behalf, with no body and no headers but those given. */
export function subRequest(
  parent: ProxyRequest,
  fields: Partial<ProxyRequest> & { method: string; path: string },
): ProxyRequest {
  return {
    ...parent,
    headers: new Map(),
    query: '',
    body: EMPTY_BODY,
    acl: undefined,
    originalMethod: fields.method,
    validPath: true,
    ...fields,
  };
}

/** The same, authorized in advance: the middleware answers for what it asks. */
export function preAuthorized(
  parent: ProxyRequest,
  agent: string,
  fields: Partial<ProxyRequest> & { method: string; path: string },
): ProxyRequest {
  const request = subRequest(parent, {
    remoteUser: '.wsgi.pre_authed',
    authorize: null,
    authorizeOverride: true,
    swiftOwner: true,
    ...fields,
  });
  const original = parent.headers.get('user-agent');
  request.headers.set('user-agent', original ? `${original} ${agent}` : agent);
  return request;
}

/** The address a request came from, as the proxies before us tell. */
export const remoteClient = (request: ProxyRequest): string =>
  request.headers.get('x-cluster-client-ip') ||
  request.headers.get('x-forwarded-for')?.split(',')[0]?.trim() ||
  request.remoteAddress;

export const isTrue = (value: string | undefined): boolean =>
  value !== undefined && ['true', '1', 'yes', 'on', 't', 'y'].includes(value.toLowerCase());
