import { must } from '@folsom/core';
import { answer } from '@folsom/swift-http';
import type { Middleware } from './middleware.ts';

/** `container.account.storage-domain/object` as another way to write `/v1/account/container/object`. */
export const domainRemap: Middleware = (app, conf) => {
  const given = conf.str('storage_domain', 'example.com');
  const domain = given && !given.startsWith('.') ? `.${given}` : given;
  const root = conf.str('path_root', 'v1').replace(/^\/+|\/+$/g, '');
  const prefixes = conf.list('reseller_prefixes', ['AUTH']);
  return async request => {
    const host = (request.headers.get('host') ?? '').replace(/:[^:]*$/, '');
    if (domain && !request.headers.has('host')) return answer(400, request);
    if (!domain || !host.endsWith(domain)) return app(request);
    const parts = host
      .slice(0, -domain.length)
      .replace(/^\.+|\.+$/g, '')
      .split('.');
    if (parts.length > 2)
      return answer(400, request, { body: 'Bad domain in host header', contentType: 'text/plain' });
    const container = parts.length === 2 ? must(parts[0], 'parts is not empty') : null;
    let account = must(parts[parts.length - 1], 'parts is not empty');
    if (!account.includes('_')) account = account.replace('-', '_');
    const prefix = prefixes.find(
      one => one.toLowerCase() === must(account.split('_')[0], 'a split has a first part').toLowerCase(),
    );
    if (prefix === undefined) return app(request);
    account = prefix + account.slice(prefix.length);
    let rest = request.path.replace(/^\/+|\/+$/g, '');
    if (rest.startsWith(root)) rest = rest.slice(root.length).replace(/^\/+/, '');
    request.path = ['', root, account, ...(container ? [container] : []), ...(rest ? [rest] : [])].join('/');
    return app(request);
  };
};
