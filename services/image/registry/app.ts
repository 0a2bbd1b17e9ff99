import type { TokenValidator } from '@folsom/auth';
import type { Config } from '@folsom/config';
import type { RunningService, World } from '@folsom/core';
import { checkSchema, type Database, isDatabaseAway } from '@folsom/db';
import { createApp, type RouteInfo } from '@folsom/http';
import { type MountedOperation, mountOperations, operationsOf } from '@folsom/http/operation';
import { renderImageFault } from '../faults.ts';
import { loginOf } from '../login.ts';
import { imageFront, type Undeclared } from '../operation.ts';
import { imageOptions } from '../options.ts';
import { configuredTls } from '../tls.ts';
import type { RegistryParts } from './images.ts';
import { registryOperations } from './operations.ts';

export interface RegistryOptions {
  config: Config;
  world: World;
  db: Database;
  /** Checks tokens; absent: no login, everybody is an administrator. */
  validator?: TokenValidator;
  /** What a 401 names as the place to log in. */
  authUri?: string;
  /** Where to listen; default bind_host and bind_port (9191). */
  listen?: { host: string; port: number };
  /** For tests: what came out of an operation that does not declare it. */
  undeclared?: Undeclared;
}

const REGISTRY_PORT = 9191;

/** Starts glance-registry: image metadata over REST, for our glance-api or an original one. */
export async function startRegistry(
  options: RegistryOptions,
): Promise<RunningService & { routes: readonly RouteInfo[]; operations: readonly MountedOperation[] }> {
  const { config, db, world } = options;
  const settings = config.of(imageOptions);
  await checkSchema(db, 'glance');
  const tls = configuredTls(config);
  const parts: RegistryParts = { db, world, limits: settings };
  const app = createApp({
    unavailable: isDatabaseAway,
    name: 'glance-registry',
    world,
    requestIdHeader: 'x-openstack-request-id',
    renderFault: renderImageFault,
    authenticate: loginOf(options.validator, settings, world, { authUri: options.authUri }),
    checks: { database: () => db.ping() },
    ...(tls ? { tls } : {}),
  });
  const { server } = app;
  server.decorateRequest('token', null);
  server.decorateRequest('image', null as never);
  mountOperations(
    app,
    registryOperations,
    imageFront({ domain: parts, prefix: '', policy: null, undeclared: options.undeclared }),
  );

  const address = await app.listen(
    options.listen ?? { host: settings.bind_host, port: settings.bind_port ?? REGISTRY_PORT },
  );
  world.log.info('listening', { service: 'glance-registry', address });
  let stopping: Promise<void> | null = null;
  return {
    name: 'glance-registry',
    addresses: [address],
    routes: app.routes,
    operations: operationsOf(app),
    stop: () => {
      stopping ??= app.stop();
      return stopping;
    },
  };
}
