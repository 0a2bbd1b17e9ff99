import { authTokenHook, type TokenValidator } from '@folsom/auth';
import type { Config } from '@folsom/config';
import type { RunningService, World } from '@folsom/core';
import type { Database } from '@folsom/db';
import { type App, createApp, type HttpMetrics } from '@folsom/http';
import { type ImageClient, imageClient } from '@folsom/nova/image-client';
import { networkApi } from '@folsom/nova/network-api';
import { novaOptions } from '@folsom/nova/options';
import { novaOutbox, type Outbox } from '@folsom/nova/outbox';
import { passing } from '@folsom/nova/passing';
import { defaultLimits } from '@folsom/nova/quotas';
import { computeContract } from '@folsom/nova/rpc/compute';
import { schedulerContract } from '@folsom/nova/rpc/scheduler';
import type { Policy } from '@folsom/policy';
import type { Bus } from '@folsom/rpc';
import { serverConsoles } from './openstack/core/consoles.ts';
import { extensionsResource } from './openstack/core/extensions.ts';
import { flavorsResource } from './openstack/core/flavors.ts';
import { imageMetadata, imagesResource } from './openstack/core/images.ts';
import { serverIps } from './openstack/core/ips.ts';
import { limitsResource } from './openstack/core/limits.ts';
import { serverMetadata } from './openstack/core/server-metadata.ts';
import { serversResource } from './openstack/core/servers.ts';
import { mountVersions } from './openstack/core/versions.ts';
import {
  chosenExtensions,
  completed,
  type Extension,
  type Registry,
  readExtensions,
  registryOf,
} from './openstack/http/extension.ts';
import { renderFault } from './openstack/http/faults.ts';
import type { Deps } from './openstack/http/front.ts';
import { mountRoutes } from './openstack/http/mount.ts';
import { DEFAULT_RATE_LIMITS, type RateLimit, rateLimiter } from './openstack/http/rate-limits.ts';
import { type Resource, type Route, routesOf } from './openstack/http/resource.ts';

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
}

export interface ComputeApi extends RunningService {
  /** Method and path of every route, for generated tests. */
  routes: readonly { method: string; path: string; name: string }[];
  /** Answers requests without a connection where time is simulated. */
  app: App;
}

/** The folder whose listing is the list of extensions. */
const EXTENSIONS = new URL('./openstack/extensions/', import.meta.url);

/** Resources of the core, in Folsom's order. */
const coreResources = (registry: Registry): Resource[] => [
  serverConsoles,
  serversResource(registry),
  serverIps,
  imagesResource(registry),
  limitsResource(registry),
  flavorsResource(registry),
  imageMetadata,
  serverMetadata,
  extensionsResource,
];

/** All routes: the core with what extensions give it, then the extensions' own resources. */
export function allRoutes(registry: Registry): Route[] {
  const { extensions } = registry;
  const own = extensions.flatMap((extension: Extension) => [...(extension.resources ?? [])]);
  return [...coreResources(registry), ...own].flatMap(resource => routesOf(completed(resource, extensions)));
}

/** nova-api's OpenStack compute API on `osapi_compute_listen_port` (8774). */
export async function startComputeApi(options: ComputeApiOptions): Promise<ComputeApi> {
  const { database, bus, world, policy } = options;
  const config = options.config.of(novaOptions);
  const registry = registryOf(
    chosenExtensions(
      await readExtensions(EXTENSIONS),
      config.osapi_compute_extension,
      config.osapi_compute_ext_list,
    ),
  );
  const limits = options.rateLimits ?? (config.api_rate_limit ? DEFAULT_RATE_LIMITS : []);
  const outbox =
    options.outbox ??
    novaOutbox({ db: database, bus, world, owner: `nova-api:${config.host}`, takesOrphans: true });
  const deps: Deps = {
    config,
    db: database,
    ...world,
    policy,
    bus,
    outbox,
    compute: computeContract.client(outbox.bus),
    scheduler: schedulerContract.client(outbox.bus),
    network: networkApi({ bus, db: database, clock: world.clock }),
    images:
      options.images ??
      imageClient({ servers: config.glance_api_servers, clock: world.clock, log: world.log }),
    quotaDefaults: defaultLimits(config),
    registry,
    rateLimiter: limits.length > 0 ? rateLimiter(limits, world.clock) : undefined,
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
  mountRoutes(app, allRoutes(registry), deps);
  if (options.outbox === undefined) await outbox.start();
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
      if (options.outbox === undefined) await outbox.stop();
    },
  };
}
