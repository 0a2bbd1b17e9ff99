import { isFault, type RequestContext, requestContext } from '@folsom/core';
import { type App, type RenderedFault, send } from '@folsom/http';
import { parseXml, type XmlElement } from '@folsom/wire';
import { parseJson } from '@folsom/wire/json';
import { genericBody, genericXml, renderXml } from '@folsom/wire/nova-xml';
import type { FastifyReply, FastifyRequest, HTTPMethods } from 'fastify';
import { type AnswerFormat, answerFormat, bodyFormat, type Format } from './accept.ts';
import type { Answer } from './answer.ts';
import { badRequest, notFound, plain, rateLimited } from './faults.ts';
import type { Deps } from './front.ts';
import { withPrefix } from './links.ts';
import { type ApiRequest, isObject } from './request.ts';
import type { Operation, Route } from './resource.ts';
import { withStatus } from './statuses.ts';

/** The compute API's mount points: the same application under two names. */
export const MOUNTS = ['v2', 'v1.1'] as const;

/** Adds the routes below every mount, with Folsom's suffixes. */
export function mountRoutes(app: App, routes: readonly Route[], deps: Deps): void {
  const seen = new Set<string>();
  for (const mount of MOUNTS) {
    for (const route of routes) {
      const path = `/${mount}/:project_id/${route.path}`;
      const fixed = !path.slice(path.lastIndexOf('/') + 1).startsWith(':');
      // An id carries its suffix with it; a fixed ending needs its twins.
      const paths = fixed ? [path, `${path}.json`, `${path}.xml`] : [path];
      for (const url of paths) {
        if (seen.has(`${route.method} ${url}`)) continue;
        seen.add(`${route.method} ${url}`);
        app.server.route({
          method: route.method as HTTPMethods,
          url,
          config: { name: route.name },
          handler: (request, reply) => serve(route, request, reply, deps, mount),
        });
      }
    }
  }
}

async function serve(
  route: Route,
  request: FastifyRequest,
  reply: FastifyReply,
  deps: Deps,
  mount: string,
): Promise<FastifyReply> {
  const context = contextOf(request, deps);
  const params = paramsOf(request);
  if (Object.values(params).includes('')) {
    send(reply, nowhere(request));
    return reply;
  }
  limitRate(request, context, deps);
  const answerAs = answerFormat(request.url, request.headers.accept);
  const raw = request.body instanceof Buffer && request.body.length > 0 ? request.body : undefined;
  const format = raw && bodyFormat(request.headers['content-type']);
  const { operation, body } = readRequest(route, raw, format);
  if (params.project_id !== context.projectId) throw badRequest('Malformed request url');
  if (body === undefined && needsBody(operation, request.method)) throw badRequest();
  const host = `${request.protocol}://${request.headers.host ?? 'localhost'}`;
  const root = withPrefix(host, deps.config.osapi_compute_link_prefix);
  const api: ApiRequest = {
    deps,
    context,
    params,
    query: new URLSearchParams(queryOf(request.url)),
    body,
    bodyFormat: format,
    format: answerAs.format,
    base: `${root}/${mount}`,
    root,
    projectId: params.project_id,
  };
  const answer = await answered(operation, api);
  reply.header('x-compute-request-id', request.requestId);
  return write(reply, answer, operation, answerAs);
}

async function answered(operation: Operation, api: ApiRequest): Promise<Answer> {
  try {
    return await operation.handle(api);
  } catch (error) {
    throw isFault(error) ? withStatus(error) : error;
  }
}

const needsBody = (operation: Operation, method: string): boolean =>
  operation.body ?? (method === 'POST' || method === 'PUT');

function queryOf(url: string): string {
  const at = url.indexOf('?');
  return at < 0 ? '' : url.slice(at + 1);
}

/** Parameters of the path without the answer's suffix. */
function paramsOf(request: FastifyRequest): Record<string, string> & { project_id: string } {
  const params = { ...(request.params as Record<string, string>) };
  const names = Object.keys(params);
  const last = names.at(-1);
  if (last !== undefined && last !== 'project_id') {
    const path = request.url.split('?', 1)[0]!;
    if (path.endsWith(encodeURIComponent(params[last]!)) || path.endsWith(params[last]!)) {
      params[last] = params[last]!.replace(/\.(json|xml)$/, '');
    }
  }
  return params as Record<string, string> & { project_id: string };
}

interface Read {
  operation: Operation;
  body: unknown;
}

/** Finds the operation, which for `/action` stands in the body, and reads the body as that operation wants it. */
function readRequest(route: Route, raw: Buffer | undefined, format: Format | undefined): Read {
  if (format === 'xml') {
    const root = readXml(raw!);
    const operation = route.actions ? actionOf(route.actions, root.name) : route.operation;
    if (!operation) throw notFound();
    return { operation, body: operation.readXml ? operation.readXml(root) : genericBody(root) };
  }
  if (!route.actions && !route.operation) throw notFound();
  const body = format === 'json' ? readJson(raw!) : undefined;
  if (!route.actions) return { operation: route.operation!, body };
  if (body === undefined) throw badRequest('There is no such action: None');
  if (typeof body === 'object' && body !== null && Object.keys(body).length !== 1) {
    throw badRequest('Malformed request body');
  }
  if (!isObject(body)) throw notFound();
  return { operation: actionOf(route.actions, Object.keys(body)[0]!), body };
}

function actionOf(actions: Readonly<Record<string, Operation>>, name: string): Operation {
  if (!Object.hasOwn(actions, name)) throw badRequest(`There is no such action: ${name.slice(0, 255)}`);
  return actions[name]!;
}

function readJson(raw: Buffer): unknown {
  try {
    return parseJson(raw);
  } catch {
    throw badRequest('Malformed request body');
  }
}

function readXml(raw: Buffer): XmlElement {
  try {
    return parseXml(raw);
  } catch (error) {
    if (isFault(error, 'MalformedXml')) throw badRequest('Malformed request body');
    throw error;
  }
}

/** The context of the request: what the token says, checked against the policy's idea of an administrator. */
function contextOf(request: FastifyRequest, deps: Deps): RequestContext {
  const { token } = request;
  if (!token) throw notFound();
  const fields = {
    requestId: request.requestId,
    userId: token.userId,
    userName: token.userName,
    projectId: token.tenantId,
    projectName: token.tenantName,
    roles: token.roles,
    authToken: token.id,
    remoteAddress: remoteAddress(request, deps.config.use_forwarded_for),
    timestamp: deps.clock.now(),
    serviceCatalog: token.serviceCatalog.filter(entry =>
      ['volume', 'image'].includes((entry as { type?: string }).type ?? ''),
    ),
  };
  const context = requestContext(fields, deps);
  return deps.policy.check('context_is_admin', {}, context) ? { ...context, isAdmin: true } : context;
}

function remoteAddress(request: FastifyRequest, forwarded: boolean): string {
  const header = request.headers['x-forwarded-for'];
  return forwarded && typeof header === 'string' ? header.slice(0, 255) : request.ip;
}

function limitRate(request: FastifyRequest, context: RequestContext, deps: Deps): void {
  if (!deps.rateLimiter) return;
  const url = `${request.protocol}://${request.headers.host ?? ''}${request.url}`;
  const delay = deps.rateLimiter.take(request.method, url, context.userId);
  if (delay) throw rateLimited(delay.text, Math.ceil(delay.seconds));
}

/** Writes an answer in the format asked for. */
export function write(
  reply: FastifyReply,
  answer: Answer,
  operation: Pick<Operation, 'xml'>,
  as: AnswerFormat,
): FastifyReply {
  reply.code(answer.status);
  for (const [name, value] of Object.entries(answer.headers ?? {})) reply.header(name, value);
  if (answer.view === undefined) {
    return reply
      .header('content-type', answer.type ?? as.type)
      .send(answer.status === 204 ? undefined : Buffer.from(answer.text ?? ''));
  }
  // A serialised text with its own content type keeps fastify from adding a charset to it.
  reply.header('content-type', as.type);
  return reply.send(Buffer.from(text(answer, operation, as.format)));
}

function text(answer: Answer, operation: Pick<Operation, 'xml'>, format: Format): string {
  const view = answer.view!;
  if (format === 'json') return JSON.stringify(view);
  const template = answer.xml ?? operation.xml;
  return template ? renderXml(template, view) : genericXml(view);
}

/** What stands where no route is: plain text below the mounts. */
export const nowhere = (request: FastifyRequest): RenderedFault =>
  request.method === 'HEAD'
    ? { status: 404, headers: { 'content-type': 'text/html; charset=UTF-8' }, body: '' }
    : plain(request, 404, 'Not Found', 'The resource could not be found.', '');
