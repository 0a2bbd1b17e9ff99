import { createHmac } from 'node:crypto';
import { must, secretsEqual } from '@folsom/core';
import { answer, type Headers, queryParameter, quotePath, type ServerResponse } from '@folsom/swift-http';
import type { ProxyRequest } from '../request.ts';
import type { Middleware } from './middleware.ts';
import { tempUrlKey } from './temp-url-key.ts';

/** Names, or beginnings of names with `*`, separated by spaces. */
function headerMatcher(list: string): (name: string) => boolean {
  const names = list.toLowerCase().split(/\s+/).filter(Boolean);
  const exact = new Set(names.filter(name => !name.endsWith('*')));
  const starts = names.filter(name => name.endsWith('*')).map(name => name.slice(0, -1));
  return name => exact.has(name) || starts.some(start => name.startsWith(start));
}

/** The account of a request for an object that may be signed; null for anything else. */
function accountOf(request: ProxyRequest): string | null {
  if (!['GET', 'PUT', 'HEAD'].includes(request.method)) return null;
  const match = /^\/v1\/([^/]+)\/([^/]+)\/(.+)$/s.exec(request.path);
  return match && must(match[3], 'the pattern has group 3').replaceAll('/', '') !== ''
    ? must(match[1], 'the pattern has group 1')
    : null;
}

/** URLs that let anybody who has them read or write one object for a while. */
export const tempUrl: Middleware = (app, conf, tools) => {
  const removeIn = headerMatcher(conf.str('incoming_remove_headers', 'x-timestamp'));
  const allowIn = headerMatcher(conf.str('incoming_allow_headers', ''));
  const removeOut = headerMatcher(conf.str('outgoing_remove_headers', 'x-object-meta-*'));
  const allowOut = headerMatcher(conf.str('outgoing_allow_headers', 'x-object-meta-public-*'));
  const clean = (headers: Headers, remove: typeof removeIn, allow: typeof allowIn): void => {
    for (const name of [...headers.keys()]) if (remove(name) && !allow(name)) headers.delete(name);
  };

  const invalid = (request: ProxyRequest): ServerResponse => {
    const body = Buffer.from('401 Unauthorized: Temp URL invalid\n');
    return {
      status: 401,
      headers: new Map([
        ['content-type', 'text/plain'],
        ['content-length', String(body.length)],
      ]),
      body: request.method === 'HEAD' ? null : body,
    };
  };

  return async request => {
    const signature = queryParameter(request.query, 'temp_url_sig', 'first') ?? undefined;
    const expiresText = queryParameter(request.query, 'temp_url_expires', 'first') ?? undefined;
    if (!request.query || (!signature && !expiresText)) return app(request);
    const expires = /^\s*[+-]?\d{1,15}\s*$/.test(expiresText ?? '') ? Number(expiresText) : 0;
    if (!signature || expires < tools.world.clock.now() / 1000) return invalid(request);
    const account = accountOf(request);
    const key = account && (await tempUrlKey(app, request, account, 'TempURL'));
    if (!key) return invalid(request);
    const signs = (method: string): boolean => {
      const expected = createHmac('sha1', Buffer.from(key, 'latin1'))
        .update(`${method}\n${expires}\n${request.path}`)
        .digest('hex');
      return secretsEqual(expected, signature);
    };
    if (!(request.method === 'HEAD' ? signs('GET') || signs('PUT') : signs(request.method)))
      return invalid(request);
    // A manifest would let the holder of one object's URL read all others of the account.
    if (request.headers.has('x-object-manifest')) {
      return answer(400, request, {
        body: 'The header "x-object-manifest" is not allowed in this tempurl',
        contentType: 'text/plain',
      });
    }
    clean(request.headers, removeIn, allowIn);
    for (const name of ['x-copy-from', 'x-container-sync-key']) request.headers.delete(name);
    request.authorize = null;
    request.authorizeOverride = true;
    request.remoteUser = '.wsgi.tempurl';
    const name = request.path.slice(request.path.lastIndexOf('/') + 1);
    const response = await app(request);
    clean(response.headers, removeOut, allowOut);
    if (request.originalMethod === 'GET' && !response.headers.has('content-disposition')) {
      response.headers.set('content-disposition', `attachment; filename=${quotePath(name)}`);
    }
    return response;
  };
};
