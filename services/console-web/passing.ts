import type { Readable } from 'node:stream';
import { must } from '@folsom/core';
import type { App } from '@folsom/http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { fault } from './faults.ts';
import { SERVICES, type ServiceName } from './keystone.ts';
import type { Console } from './shared.ts';

const PREFIX = '/api/cloud/';
/** Request headers that mean something to a service. */
const TO_SERVICE =
  /^(accept|content-type|content-length|if-none-match|if-match|range|x-image-meta-.*|x-glance-.*|x-container-.*|x-object-.*|x-account-meta-.*|x-remove-.*|x-copy-from|x-delete-(at|after)|x-detect-content-type|etag)$/;
/** Headers of an answer that the page reads. */
const TO_PAGE =
  /^(content-length|content-range|etag|last-modified|retry-after|x-image-meta-.*|x-container-.*|x-object-.*|x-account-.*|x-compute-request-id|x-openstack-request-id|x-trans-id|x-static-large-object|x-delete-at)$/;
/** Whoever has it signs URLs for the account. */
const NEVER = /^x-account-meta-temp-url-key/;
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;

/**
 * Passes a request of the page on to a service of the catalog, with the session's token: `/api/cloud/compute/servers/detail`.
 * Bodies stream both ways. Whatever an answer holds, no browser takes it for a page of ours.
 */
export function passingRoutes(app: App, web: Console): void {
  app.server.route({
    method: [...METHODS],
    url: `${PREFIX}:service/*`,
    config: { name: 'cloud', stream: true },
    handler: async (request, reply) => {
      const { service } = request.params as { service: string };
      if (!SERVICES.includes(service as ServiceName)) throw fault('NoSuchService');
      return pass(request, reply, web, service as ServiceName);
    },
  });
}

async function pass(
  request: FastifyRequest,
  reply: FastifyReply,
  web: Console,
  service: ServiceName,
): Promise<FastifyReply> {
  const session = must(web.sessionOf(request), 'the request has a session');
  const { access } = session;
  const base = access.endpoints[service];
  if (base === undefined) throw fault('NoSuchService');
  // The browser went away, or the session ended: so does the work for it.
  const left = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) left.abort(new Error('the browser went away'));
  });
  const answer = await web.door
    .request(targetOf(base, request.url.slice(PREFIX.length + service.length)), {
      method: request.method,
      headers: { ...headersTo(request), 'x-auth-token': access.token },
      body: withBody(request) ? (request.body as Readable) : null,
      signal: AbortSignal.any([left.signal, session.ended.signal]),
    })
    .catch(error => {
      const headers = { connection: 'close' };
      if (session.ended.signal.aborted) throw fault('NotLoggedIn', {}, { cause: error, headers });
      throw fault('Unreachable', { service }, { cause: error, headers });
    });
  // Only these say so because of the token alone.
  if (answer.status === 401 && service !== 'object-store') {
    // Behind the answer, which is cut off when its session ends.
    const end = () => web.sessions.end(must(web.idOf(request), 'the request names one'));
    reply.raw.once('finish', end).once('close', end);
  }
  reply.code(answer.status);
  for (const [name, value] of Object.entries(answer.headers)) {
    if (!TO_PAGE.test(name) || NEVER.test(name) || typeof value !== 'string') continue;
    reply.header(name, value);
  }
  for (const [name, value] of Object.entries(harmless(request, service, answer.headers['content-type'])))
    reply.header(name, value);
  answer.body.on('error', () => {
    if (!reply.raw.writableFinished) reply.raw.destroy();
  });
  return reply.send(answer.body);
}

/** The service's address and the path below it, which cannot lead out of it. @throws BadRequest */
function targetOf(base: string, path: string): string {
  const [plain = ''] = path.split('?', 1);
  if (plain.split('/').some(part => part === '.' || part === '..')) throw fault('BadRequest');
  return base + path;
}

const withBody = (request: FastifyRequest): boolean =>
  request.method !== 'GET' &&
  request.method !== 'HEAD' &&
  (request.headers['transfer-encoding'] !== undefined || request.headers['content-length'] !== undefined);

function headersTo(request: FastifyRequest): Record<string, string> {
  const out: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.headers))
    if (typeof value === 'string' && TO_SERVICE.test(name)) out[name] = value;
  return out;
}

/** An answer's bytes are data, somebody's object perhaps: it is shown by our scripts or saved, never run. */
function harmless(
  request: FastifyRequest,
  service: ServiceName,
  type: string | string[] | undefined,
): Record<string, string> {
  const { saveas } = request.query as { saveas?: unknown };
  const data = typeof type === 'string' && /^application\/json\b/.test(type) && saveas === undefined;
  const path = must(request.url.split('?', 1)[0], 'a split has a first part');
  const name = typeof saveas === 'string' && saveas !== '' ? saveas : lastPart(path);
  return {
    'content-type': data
      ? 'application/json'
      : service === 'object-store' || saveas !== undefined
        ? 'application/octet-stream'
        : 'text/plain; charset=utf-8',
    'content-security-policy': "default-src 'none'; sandbox",
    'cache-control': 'no-store',
    ...(data ? {} : { 'content-disposition': `attachment; filename*=UTF-8''${encoded(name)}` }),
  };
}

function lastPart(path: string): string {
  const last = path.slice(path.lastIndexOf('/') + 1);
  try {
    const name = decodeURIComponent(last);
    return name.slice(name.lastIndexOf('/') + 1) || 'download';
  } catch {
    return 'download';
  }
}

/** RFC 5987. */
const encoded = (name: string): string =>
  encodeURIComponent(name).replace(/['()*]/g, c => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
