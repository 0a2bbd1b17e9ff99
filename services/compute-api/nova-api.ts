import { authTokenHook, type TokenValidator } from '@folsom/auth';
import type { Config } from '@folsom/config';
import type { Fault, RunningService, World } from '@folsom/core';
import type { Database } from '@folsom/db';
import { type App, createApp } from '@folsom/http';
import { mountOperations } from '@folsom/http/operation';
import type { ImageClient } from '@folsom/nova/image-client';
import { novaOptions } from '@folsom/nova/options';
import type { Outbox } from '@folsom/nova/outbox';
import { passing } from '@folsom/nova/passing';
import type { Policy } from '@folsom/policy';
import type { Bus } from '@folsom/rpc';
import type { NovaConfig } from './domain/deps.ts';
import { type DomainService, domainService } from './domain/service.ts';
import { type ApiVersion, mountVersions } from './openstack/core/versions.ts';
import type { Api, ComputeOperation, Registry } from './openstack/http/api.ts';
import { chosenExtensions, readExtensions, registryOf } from './openstack/http/extension.ts';
import { renderFault } from './openstack/http/faults.ts';
import { computeFront } from './openstack/http/front.ts';
import { DEFAULT_RATE_LIMITS, type RateLimit, rateLimiter } from './openstack/http/rate-limits.ts';

export interface ApiOptions {
  /** Must know {@link novaOptions}. */
  config: Config;
  database: Database;
  bus: Bus;
  validator: TokenValidator;
  policy: Policy;
  world: World;
  /** Default: one of its own. */
  outbox?: Outbox;
  /** Default: the image services of `glance_api_servers`. */
  images?: ImageClient;
  /** Default: Folsom's table, unless `api_rate_limit` is off. */
  rateLimits?: readonly RateLimit[];
  /** What a 401 names as the place to log in. */
  authUri?: string;
  /** Folders whose files are extensions; default the one of this service. */
  extensions?: readonly URL[];
  /** Is told of faults that came out of an operation which does not declare them; for tests. */
  undeclared?: (fault: Fault, operation: { name: string }) => void;
}

export interface RunningApi extends RunningService {
  /** Method and path of every route, for generated tests. */
  routes: readonly { method: string; path: string; name: string }[];
  /** Answers requests without a connection where time is simulated. */
  app: App;
}

/** One of nova's OpenStack APIs: all of them are operations on the one domain, above the same front. */
export interface ApiKind {
  /** Of the program that has nothing else, e.g. `nova-api-os-compute`. */
  name: string;
  version: ApiVersion;
  /** The folder whose listing is the list of extensions. */
  extensions: URL;
  operations(registry: Registry): readonly ComputeOperation[];
  settings(config: NovaConfig): {
    host: string;
    port: number;
    linkPrefix: string | null;
    /** Factories and list, as the operator chooses extensions. */
    factories: readonly string[];
    list: readonly string[];
  };
}

/** Starts an API on its port. */
export async function startApi(options: ApiOptions, kind: ApiKind): Promise<RunningApi> {
  const config = options.config.of(novaOptions);
  const settings = kind.settings(config);
  const service = domainService({ ...options, owner: `${kind.name}:${config.host}` });
  const all = (await Promise.all((options.extensions ?? [kind.extensions]).map(readExtensions))).flat();
  const registry = registryOf(chosenExtensions(all, settings.factories, settings.list));
  const app = appOf(options, kind, config, service, registry);
  await service.start();
  const address = await app.listen({ host: settings.host, port: settings.port });
  return {
    name: kind.name,
    addresses: [address],
    routes: app.routes,
    app,
    stop: async () => {
      await app.stop();
      await service.stop();
    },
  };
}

/** The front end above a domain. */
function appOf(
  options: ApiOptions,
  kind: ApiKind,
  config: NovaConfig,
  { domain }: DomainService,
  registry: Registry,
): App {
  const { database, bus, world } = options;
  const { linkPrefix } = kind.settings(config);
  const limits = options.rateLimits ?? (config.api_rate_limit ? DEFAULT_RATE_LIMITS : []);
  const api: Api = {
    domain,
    config,
    registry,
    rateLimiter: limits.length > 0 ? rateLimiter(limits, world.clock) : undefined,
    world,
    mounts: kind.version.mounts,
    linkPrefix,
  };
  const app = createApp({
    unavailable: error => passing(error) === 'outage',
    name: kind.name,
    world,
    renderFault,
    bodyLimit: config.osapi_max_request_body_size,
    checks: { database: () => database.ping(), bus: () => bus.ready() },
    authenticate: authTokenHook({
      validator: options.validator,
      log: world.log.child({ service: kind.name }),
      ...(options.authUri === undefined ? {} : { authUri: options.authUri }),
    }),
  });
  app.server.decorateRequest('token', null);
  mountVersions(app, kind.version, linkPrefix);
  mountOperations(app, kind.operations(registry), {
    ...computeFront(api),
    ...(options.undeclared ? { undeclared: options.undeclared } : {}),
  });
  return app;
}
