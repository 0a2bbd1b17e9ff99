import { type Fault, secretsEqual, type World } from '@folsom/core';
import { isDatabaseAway } from '@folsom/db';
import {
  type App,
  createApp,
  type HealthCheck,
  type HttpMetrics,
  type RenderedFault,
  type TlsFiles,
} from '@folsom/http';
import { identityToXml } from '@folsom/wire/identity-xml';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { TITLES } from '../faults.ts';
import { IDENTITY_LIMITS } from '../limits.ts';
import { sampleFailures } from '../log-sampling.ts';
import type { Authorize } from './authorize.ts';
import { type Answer, type Asked, type Operation, type Port, Reply } from './operation.ts';
import { checkBody, readBody } from './request-body.ts';
import type { Statistics } from './stats.ts';
import { tidyPath } from './token-in-path.ts';

export interface IdentityAppOptions {
  port: Port;
  operations: readonly Operation[];
  authorize: Authorize;
  /** Empty: no such token. */
  adminToken: string;
  statistics: Statistics;
  world: World;
  checks: Record<string, HealthCheck>;
  metrics?: HttpMetrics;
  /** Absent: plain HTTP. */
  tls?: TlsFiles;
}

/** The HTTP application of one port, made from the declared operations. */
export function identityApp(options: IdentityAppOptions): App {
  const { port, authorize, statistics } = options;
  const app = createApp({
    unavailable: isDatabaseAway,
    name: port === 'public' ? 'keystone-public' : 'keystone-admin',
    world: { ...options.world, log: sampleFailures(options.world.log, options.world.clock) },
    bodyLimit: IDENTITY_LIMITS.bodyBytesMax,
    checks: options.checks,
    ...(options.metrics ? { metrics: options.metrics } : {}),
    ...(options.tls ? { tls: options.tls } : {}),
    renderFault,
    rewritePath: tidyPath,
    // The body comes first, as in the original: each operation declares who may, and the handler below asks.
    authenticate: null,
  });
  app.server.addHook('onSend', async (_request, reply) => {
    if (reply.statusCode === 401 || reply.statusCode === 403) reply.raw.statusMessage = 'Not Authorized';
  });
  app.server.addHook('onResponse', async (request, reply) => {
    statistics.count(port, request.method, reply.statusCode);
  });

  for (const operation of options.operations) {
    if (!operation.ports.includes(port)) continue;
    const url = operation.absolute ? operation.path : `/v2.0${operation.path === '/' ? '' : operation.path}`;
    const handler = async (request: FastifyRequest, reply: FastifyReply) => {
      const tokenId = request.headers['x-auth-token'];
      const sent = typeof tokenId === 'string' && tokenId !== '' ? tokenId : null;
      const asked: Asked = {
        port,
        params: request.params as Record<string, string>,
        query: lastValues(request.query as Record<string, string | string[]>),
        body: readBody(request.body, request.headers['content-type']),
        tokenId: sent,
        bootstrap: sent !== null && options.adminToken !== '' && secretsEqual(sent, options.adminToken),
        request,
      };
      checkBody(operation, asked.body);
      operation.precheck?.(asked);
      if (operation.access === 'admin') await authorize.admin(asked);
      return render(request, reply, await operation.handle(asked));
    };
    const config = { name: operation.name };
    if (operation.method === 'ANY') app.server.all(url, { config }, handler);
    else app.server.route({ method: operation.method, url, config, handler });
  }
  return app;
}

function lastValues(query: Record<string, string | string[]>): Record<string, string> {
  const out: Record<string, string> = {};
  for (const key in query) {
    const value = query[key]!;
    out[key] = typeof value === 'string' ? value : (value.at(-1) ?? '');
  }
  return out;
}

// As bytes: fastify would add a charset, which the original's answers do not have, to JSON given as text.
const bytes = (text: string): Buffer => Buffer.from(text, 'utf8');

const wantsXml = (request: FastifyRequest): boolean =>
  request.headers.accept?.includes('application/xml') === true;

function render(request: FastifyRequest, reply: FastifyReply, answer: Answer): FastifyReply {
  if (answer === undefined) return reply.code(204).header('vary', 'X-Auth-Token').send();
  const { status, body } = answer instanceof Reply ? answer : { status: 200, body: answer };
  reply.code(status);
  if (isText(body)) {
    if (body.vary) reply.header('vary', 'X-Auth-Token');
    return reply.header('content-type', body.type).send(bytes(body.text));
  }
  reply.header('vary', 'X-Auth-Token');
  return wantsXml(request)
    ? reply.header('content-type', 'application/xml').send(bytes(identityToXml(body)))
    : reply.header('content-type', 'application/json').send(bytes(JSON.stringify(body)));
}

const isText = (body: Reply['body']): body is { type: string; text: string; vary: boolean } =>
  typeof (body as { text?: unknown }).text === 'string' &&
  typeof (body as { vary?: unknown }).vary === 'boolean';

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
    body: bytes(xml ? identityToXml(document) : JSON.stringify(document)),
  };
}
