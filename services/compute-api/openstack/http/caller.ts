import { Fault, requestContext } from '@folsom/core';
import type { FastifyRequest } from 'fastify';
import { answerFormat, bodyFormat } from './accept.ts';
import type { Api, Caller } from './api.ts';
import { rateLimited } from './faults.ts';
import { withPrefix } from './links.ts';

/** The compute API's mount points: the same application under two names. */
export const MOUNTS = ['v2', 'v1.1'] as const;

/** What the token says, checked against the policy's idea of an administrator. @throws 404, 413 */
export function callerOf(request: FastifyRequest, api: Api): Caller {
  const { token } = request;
  const params = request.params as Record<string, string>;
  if (!token || Object.values(params).includes('')) throw new Fault('RouteNotFound', 404, '');
  const fields = {
    requestId: request.requestId,
    traceparent: request.traceparent,
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
  const root = withPrefix(host, api.linkPrefix);
  const question = request.url.indexOf('?');
  return {
    ...context,
    isAdmin: context.isAdmin || api.domain.policy.isAdministrator(context),
    api,
    format: answerFormat(request.url, request.headers.accept).format,
    bodyFormat: bodyFormat(request.headers['content-type']),
    base: `${root}/${api.mounts.find(mount => request.url.startsWith(`/${mount}/`)) ?? api.mounts[0]}`,
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
