import type { TokenValidator } from '@folsom/auth';
import type { Config } from '@folsom/config';
import type { RunningService, World } from '@folsom/core';
import { checkSchema, type Database, isDatabaseAway } from '@folsom/db';
import { createApp, type HttpMetrics, type RouteInfo } from '@folsom/http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { json, nothing } from '../answers.ts';
import { jsonBody, queryOf } from '../bodies.ts';
import { httpFault, renderImageFault } from '../faults.ts';
import { type ImageStatus, isStatus } from '../image.ts';
import { loginOf } from '../login.ts';
import { imageOptions } from '../options.ts';
import {
  type RegistryParts,
  registryCreate,
  registryDelete,
  registryDetail,
  registryList,
  registryShow,
  registryUpdate,
} from './images.ts';
import {
  registryAddMember,
  registryDeleteMember,
  registryMembers,
  registryReplaceMembers,
  registrySharedImages,
} from './members.ts';
import { EXPECTED_STATUS_HEADER, WITHOUT_LOCATION_HEADER } from './remote.ts';

export interface RegistryOptions {
  config: Config;
  world: World;
  db: Database;
  /** Checks tokens; absent: no login, everybody is an administrator. */
  validator?: TokenValidator;
  /** What a 401 names as the place to log in. */
  authUri?: string;
  metrics?: HttpMetrics;
  /** Where to listen; default bind_host and bind_port (9191). */
  listen?: { host: string; port: number };
}

const REGISTRY_PORT = 9191;

/** Starts glance-registry: image metadata over REST, for our glance-api or an original one. */
export async function startRegistry(
  options: RegistryOptions,
): Promise<RunningService & { routes: readonly RouteInfo[] }> {
  const { config, db, world } = options;
  const settings = config.of(imageOptions);
  await checkSchema(db, 'glance');
  const parts: RegistryParts = { db, world, limits: settings };
  const app = createApp({
    unavailable: isDatabaseAway,
    name: 'glance-registry',
    world,
    requestIdHeader: 'x-openstack-request-id',
    renderFault: renderImageFault,
    authenticate: loginOf(options.validator, settings, world, { authUri: options.authUri }),
    checks: { database: () => db.ping() },
    ...(options.metrics ? { metrics: options.metrics } : {}),
  });
  const { server } = app;
  server.decorateRequest('token', null);
  server.decorateRequest('image', null as never);
  const params = (request: FastifyRequest) => Object.fromEntries(queryOf(request));
  const idOf = (request: FastifyRequest): string => {
    const { id } = request.params as { id: string };
    if (id === '') throw httpFault(404);
    return id;
  };
  const memberOf = (request: FastifyRequest): string => (request.params as { member: string }).member;

  const index = async (request: FastifyRequest, reply: FastifyReply) =>
    json(reply, { images: await registryList(parts, request.image, params(request)) });
  server.all('/', index);
  server.get('/images', index);
  server.get('/images/detail', async (request, reply) =>
    json(reply, { images: await registryDetail(parts, request.image, params(request)) }),
  );
  server.post('/images', async (request, reply) =>
    json(reply, { image: await registryCreate(parts, request.image, jsonBody(request)) }),
  );
  server.get('/images/:id', async (request, reply) =>
    json(reply, { image: await registryShow(parts, request.image, idOf(request)) }),
  );
  server.put('/images/:id', async (request, reply) => {
    const image = await registryUpdate(parts, request.image, idOf(request), jsonBody(request), {
      purgeProperties: request.headers['x-glance-registry-purge-props'] === 'true',
      ...expectation(request),
    });
    return json(reply, { image });
  });
  server.delete('/images/:id', async (request, reply) =>
    json(reply, { image: (await registryDelete(parts, request.image, idOf(request))).after }),
  );

  server.get('/images/:id/members', async (request, reply) =>
    json(reply, { members: await registryMembers(parts, request.image, idOf(request)) }),
  );
  server.put('/images/:id/members', async (request, reply) => {
    await registryReplaceMembers(parts, request.image, idOf(request), jsonBody(request));
    return nothing(reply);
  });
  server.put('/images/:id/members/:member', async (request, reply) => {
    await registryAddMember(parts, request.image, idOf(request), memberOf(request), jsonBody(request));
    return nothing(reply);
  });
  server.delete('/images/:id/members/:member', async (request, reply) => {
    await registryDeleteMember(parts, request.image, idOf(request), memberOf(request));
    return nothing(reply);
  });
  server.all('/shared-images/:id', async (request, reply) =>
    json(reply, { shared_images: await registrySharedImages(parts, request.image, idOf(request)) }),
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
    stop: () => {
      stopping ??= app.stop();
      return stopping;
    },
  };
}

/** The conditions our own API adds to an update. */
function expectation(request: FastifyRequest): { from?: ImageStatus[]; withoutLocation?: boolean } {
  const header = request.headers[EXPECTED_STATUS_HEADER];
  const from = typeof header === 'string' ? header.split(',').filter(isStatus) : undefined;
  return {
    ...(from ? { from } : {}),
    ...(request.headers[WITHOUT_LOCATION_HEADER] === 'true' ? { withoutLocation: true } : {}),
  };
}
