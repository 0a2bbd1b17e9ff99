import { ConfError, type SwiftConf } from '@folsom/swift';
import { authToken } from './middleware/auth-token.ts';
import { cacheMiddleware } from './middleware/cache.ts';
import { catchErrors } from './middleware/catch-errors.ts';
import { cnameLookup } from './middleware/cname-lookup.ts';
import { domainRemap } from './middleware/domain-remap.ts';
import { formPost } from './middleware/formpost.ts';
import { healthcheck } from './middleware/healthcheck.ts';
import { keystoneAuth } from './middleware/keystoneauth.ts';
import type { Middleware, Tools } from './middleware/middleware.ts';
import { nameCheck } from './middleware/name-check.ts';
import { proxyLogging } from './middleware/proxy-logging.ts';
import { rateLimit } from './middleware/ratelimit.ts';
import { recon } from './middleware/recon.ts';
import { staticWeb } from './middleware/staticweb.ts';
import { tempAuth } from './middleware/tempauth.ts';
import { tempUrl } from './middleware/tempurl.ts';
import type { ProxyApp } from './request.ts';

/** Middleware by its name in `use = egg:swift#NAME`. */
const MIDDLEWARE: Record<string, Middleware> = {
  catch_errors: catchErrors,
  healthcheck,
  memcache: cacheMiddleware,
  ratelimit: rateLimit,
  keystoneauth: keystoneAuth,
  tempauth: tempAuth,
  tempurl: tempUrl,
  formpost: formPost,
  staticweb: staticWeb,
  domain_remap: domainRemap,
  cname_lookup: cnameLookup,
  name_check: nameCheck,
  proxy_logging: proxyLogging,
  recon,
};

/** Python factories that original conf files name. */
const FACTORIES: Record<string, Middleware> = {
  'keystone.middleware.auth_token:filter_factory': authToken,
  'keystoneclient.middleware.auth_token:filter_factory': authToken,
  'keystone.middleware.swift_auth:filter_factory': keystoneAuth,
};

/** The name of the section that holds the application, and those of its filters, outermost first. */
export function readPipeline(conf: SwiftConf): { filters: string[]; app: string } {
  const names = [...conf.pipeline];
  const app = names.pop();
  if (app === undefined) throw new ConfError(`${conf.path}: [pipeline:main] has no pipeline`);
  return { filters: names, app };
}

/** Builds the pipeline of `[pipeline:main]` around an application. */
export function buildPipeline(conf: SwiftConf, app: ProxyApp, tools: Tools): ProxyApp {
  let wrapped = app;
  for (const name of readPipeline(conf).filters.toReversed()) {
    const section = `filter:${name}`;
    if (!conf.hasSection(section)) throw new ConfError(`${conf.path}: no section [${section}]`);
    const values = conf.section(section);
    const egg = values.str('use', '');
    const factory = values.str('paste.filter_factory', '');
    const made = egg ? MIDDLEWARE[/^egg:swift#(.+)$/.exec(egg)?.[1] ?? ''] : FACTORIES[factory];
    if (!made) throw new ConfError(`${conf.path}: [${section}] uses unknown middleware ${egg || factory}`);
    wrapped = made(wrapped, values, tools);
  }
  return wrapped;
}
