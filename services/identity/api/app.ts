import type { Fault } from '@folsom/core';
import { isDatabaseAway } from '@folsom/db';
import { type App, createApp, type HealthCheck, type RenderedFault, type TlsFiles } from '@folsom/http';
import { mountOperations } from '@folsom/http/operation';
import { identityToXml } from '@folsom/wire/identity-xml';
import type { FastifyRequest } from 'fastify';
import { TITLES } from '../faults.ts';
import { IDENTITY_LIMITS } from '../limits.ts';
import { sampleFailures } from '../log-sampling.ts';
import type { Port } from './caller.ts';
import type { Dependencies } from './dependencies.ts';
import { identityFront, wantsXml } from './front.ts';
import { identityOperations } from './operations.ts';
import { tidyPath } from './token-in-path.ts';
import { rootOperations } from './versions.ts';

export interface IdentityAppOptions {
  port: Port;
  dependencies: Dependencies;
  /** Empty: no such token. */
  adminToken: string;
  checks: Record<string, HealthCheck>;
  /** Absent: plain HTTP. */
  tls?: TlsFiles;
  /** Is told of faults that came out of an operation which does not declare them; for tests. */
  undeclared?: (fault: Fault, operation: { name: string }) => void;
}

/** The HTTP application of one port, made from the declared operations. */
export function identityApp(options: IdentityAppOptions): App {
  const { port } = options;
  const { identities, statistics, world } = options.dependencies;
  const app = createApp({
    unavailable: error => isDatabaseAway(error) || identities.isAway(error),
    name: port === 'public' ? 'keystone-public' : 'keystone-admin',
    world: { ...world, log: sampleFailures(world.log, world.clock) },
    bodyLimit: IDENTITY_LIMITS.bodyBytesMax,
    checks: options.checks,
    ...(options.tls ? { tls: options.tls } : {}),
    renderFault,
    rewritePath: tidyPath,
    // The body comes first, as in the original: each operation declares who may, and its front asks.
    authenticate: null,
  });
  app.server.addHook('onSend', async (_request, reply) => {
    if (reply.statusCode === 401 || reply.statusCode === 403) reply.raw.statusMessage = 'Not Authorized';
  });
  app.server.addHook('onResponse', async (request, reply) => {
    statistics.count(port, request.method, reply.statusCode);
  });

  const front = { port, domain: options.dependencies, adminToken: options.adminToken };
  const told = options.undeclared ? { undeclared: options.undeclared } : {};
  mountOperations(app, rootOperations, { ...identityFront({ ...front, prefix: '' }), ...told });
  mountOperations(app, identityOperations, { ...identityFront({ ...front, prefix: '/v2.0' }), ...told });
  return app;
}

/** Keystone's form of every fault. */
function renderFault(error: Fault, request: FastifyRequest): RenderedFault {
  const status = error.status;
  const document = {
    error: {
      message:
        error.name === 'InternalError'
          ? `An unexpected error prevented the server from fulfilling your request. (${request.requestId})`
          : error.message,
      code: status,
      title: TITLES[status] ?? 'Bad Request',
    },
  };
  const xml = wantsXml(request);
  return {
    status,
    headers: {
      ...error.headers,
      vary: 'X-Auth-Token',
      'content-type': xml ? 'application/xml' : 'application/json',
    },
    body: Buffer.from(xml ? identityToXml(document) : JSON.stringify(document), 'utf8'),
  };
}
