import { must } from '@folsom/core';
import { answer } from '@folsom/swift-http';
import type { Middleware } from './middleware.ts';

/** Follows the CNAME of a foreign Host header to the storage domain, for domain_remap further in. */
export const cnameLookup: Middleware = (app, conf, tools) => {
  const given = conf.str('storage_domain', 'example.com');
  const domain = given && !given.startsWith('.') ? `.${given}` : given;
  const depth = conf.int('lookup_depth', 1);
  return async request => {
    const header = request.headers.get('host') ?? '';
    const [, host = '', port = ''] = must(/^(.*?)(:[^:]*)?$/.exec(header), 'the pattern matches');
    if (!domain || host === domain.slice(1) || host.endsWith(domain)) return app(request);
    let name = host;
    let looping = false;
    for (let tries = 0; tries < depth; tries++) {
      const key = `cname-${name}`;
      let found = (await request.cache?.get(key)) as string | null | undefined;
      if (!found) {
        const answered = await tools.resolveCname(name);
        found = answered?.name.replace(/\.$/, '') ?? null;
        await request.cache?.set(key, found, answered?.ttl ?? 1);
      }
      looping = false;
      if (!found || found === name) break;
      if (found.endsWith(domain)) {
        tools.log.info('mapped a domain', { from: host, to: found });
        request.headers.set('host', found + port);
        return app(request);
      }
      name = found;
      looping = true;
    }
    return answer(400, request, {
      body: looping
        ? `CNAME lookup failed after ${depth} tries`
        : 'CNAME lookup failed to resolve to a valid domain',
      contentType: 'text/plain',
    });
  };
};
