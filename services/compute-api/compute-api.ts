import { authTokenHook, type TokenValidator } from '@folsom/auth';
import type { Config } from '@folsom/config';
import type { RunningService, World } from '@folsom/core';
import type { Database } from '@folsom/db';
import { type App, createApp, type HttpMetrics } from '@folsom/http';
import { mountOperations } from '@folsom/http/operation';
import type { ImageClient } from '@folsom/nova/image-client';
import { novaOptions } from '@folsom/nova/options';
import type { Outbox } from '@folsom/nova/outbox';
import { passing } from '@folsom/nova/passing';
import type { Policy } from '@folsom/policy';
import type { Bus } from '@folsom/rpc';
import type { NovaConfig } from './domain/deps.ts';
import { type DomainService, domainService } from './domain/service.ts';
import { mountVersions } from './openstack/core/versions.ts';
import type { Api, Registry } from './openstack/http/api.ts';
import { chosenExtensions, readExtensions, registryOf } from './openstack/http/extension.ts';
import { renderFault } from './openstack/http/faults.ts';
import { computeFront } from './openstack/http/front.ts';
import { DEFAULT_RATE_LIMITS, type RateLimit, rateLimiter } from './openstack/http/rate-limits.ts';
import { operationsOf } from './openstack/operations.ts';

export interface ComputeApiOptions {
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
  metrics?: HttpMetrics;
  /** Folders whose files are extensions; default the one of this service. */
  extensions?: readonly URL[];
}

export interface ComputeApi extends RunningService {
  /** Method and path of every route, for generated tests. */
  routes: readonly { method: string; path: string; name: string }[];
  /** Answers requests without a connection where time is simulated. */
  app: App;
}

/** The folder whose listing is the list of extensions. */
export const EXTENSIONS = new URL('./openstack/extensions/', import.meta.url);

/** nova-api's OpenStack compute API on `osapi_compute_listen_port` (8774). */
export async function startComputeApi(options: ComputeApiOptions): Promise<ComputeApi> {
  const config = options.config.of(novaOptions);
  const service = domainService(options);
  const registry = await loadedExtensions(config, options.extensions ?? [EXTENSIONS]);
  const app = openStackApp(options, config, service, registry);
  await service.start();
  const address = await app.listen({
    host: config.osapi_compute_listen,
    port: config.osapi_compute_listen_port,
  });
  return {
    name: 'nova-api-os-compute',
    addresses: [address],
    routes: app.routes,
    app,
    stop: async () => {
      await app.stop();
      await service.stop();
    },
  };
}

async function loadedExtensions(config: NovaConfig, folders: readonly URL[]): Promise<Registry> {
  const all = (await Promise.all(folders.map(readExtensions))).flat();
  return registryOf(chosenExtensions(all, config.osapi_compute_extension, config.osapi_compute_ext_list));
}

/** The OpenStack front end above a domain. */
function openStackApp(
  options: ComputeApiOptions,
  config: NovaConfig,
  { domain }: DomainService,
  registry: Registry,
): App {
  const { database, bus, world } = options;
  const limits = options.rateLimits ?? (config.api_rate_limit ? DEFAULT_RATE_LIMITS : []);
  const api: Api = {
    domain,
    config,
    registry,
    rateLimiter: limits.length > 0 ? rateLimiter(limits, world.clock) : undefined,
    world,
  };
  const app = createApp({
    unavailable: error => passing(error) === 'outage',
    name: 'nova-api-os-compute',
    world,
    renderFault,
    bodyLimit: config.osapi_max_request_body_size,
    checks: { database: () => database.ping(), bus: () => bus.ready() },
    ...(options.metrics ? { metrics: options.metrics } : {}),
    authenticate: authTokenHook({
      validator: options.validator,
      ...(options.authUri === undefined ? {} : { authUri: options.authUri }),
    }),
  });
  app.server.decorateRequest('token', null);
  mountVersions(app, config.osapi_compute_link_prefix);
  mountOperations(app, operationsOf(registry), computeFront(api));
  return app;
}
