import { Fault, type RequestContext, requestContext, type World } from '@folsom/core';
import type { FastifyRequest } from 'fastify';
import type { NovaConfig } from '../../domain/deps.ts';
import type { Domain } from '../../domain/index.ts';
import { answerFormat, bodyFormat, type Format } from './accept.ts';
import type { Registry } from './extension.ts';
import { rateLimited } from './faults.ts';
import { withPrefix } from './links.ts';
import type { RateLimiter } from './rate-limits.ts';

/** What this front end has besides the domain. */
export interface Api {
  domain: Domain;
  config: NovaConfig;
  registry: Registry;
  rateLimiter: RateLimiter | undefined;
  world: World;
}

/** Who asks, and what answers need to know of the request: the domain sees the context in it. */
export interface Caller extends RequestContext {
  api: Api;
  /** The notation of the answer. */
  format: Format;
  /** And of the request, if that has any. */
  bodyFormat: Format | undefined;
  /** `http://host:port/v2`: what links are made from. */
  base: string;
  /** The same without the version, for bookmarks. */
  root: string;
  /** The tenant whose URL this is. */
  tenant: string;
  /** As it was sent, for the links of the next page. */
  search: string;
}

/** The compute API's mount points: the same application under two names. */
export const MOUNTS = ['v2', 'v1.1'] as const;

/** What the token says, checked against the policy's idea of an administrator. @throws 404, 413 */
export function callerOf(request: FastifyRequest, api: Api): Caller {
  const { token } = request;
  const params = request.params as Record<string, string>;
  if (!token || Object.values(params).includes('')) throw new Fault('RouteNotFound', 404, '');
  const fields = {
    requestId: request.requestId,
    userId: token.userId,
    userName: token.userName,
    projectId: token.tenantId,
    projectName: token.tenantName,
    roles: token.roles,
    authToken: token.id,
    remoteAddress: remoteAddress(request, api.config.use_forwarded_for),
    timestamp: api.world.clock.now(),
    serviceCatalog: token.serviceCatalog.filter(entry =>
      ['volume', 'image'].includes((entry as { type?: string }).type ?? ''),
    ),
  };
  const context = requestContext(fields, api.world);
  limitRate(request, context.userId, api);
  const host = `${request.protocol}://${request.headers.host ?? 'localhost'}`;
  const root = withPrefix(host, api.config.osapi_compute_link_prefix);
  const question = request.url.indexOf('?');
  return {
    ...context,
    isAdmin: context.isAdmin || api.domain.policy.isAdministrator(context),
    api,
    format: answerFormat(request.url, request.headers.accept).format,
    bodyFormat: bodyFormat(request.headers['content-type']),
    base: `${root}/${MOUNTS.find(mount => request.url.startsWith(`/${mount}/`)) ?? MOUNTS[0]}`,
    root,
    tenant: params.project_id ?? '',
    search: question < 0 ? '' : request.url.slice(question + 1),
  };
}

function remoteAddress(request: FastifyRequest, forwarded: boolean): string {
  const header = request.headers['x-forwarded-for'];
  return forwarded && typeof header === 'string' ? header.slice(0, 255) : request.ip;
}

function limitRate(request: FastifyRequest, userId: string | null, { rateLimiter }: Api): void {
  if (!rateLimiter) return;
  const url = `${request.protocol}://${request.headers.host ?? ''}${request.url}`;
  const delay = rateLimiter.take(request.method, url, userId);
  if (delay) throw rateLimited(delay.text, Math.ceil(delay.seconds));
}
