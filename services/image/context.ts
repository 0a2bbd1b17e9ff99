import { type RequestContext, requestContext, type World } from '@folsom/core';
import type { FastifyRequest } from 'fastify';

/** Who asks the image service. `owner` is what images are owned by: tenant or, by option, user. */
export interface ImageContext extends RequestContext {
  owner: string | null;
  /** Anonymous access: may look, may not touch. */
  readOnly: boolean;
}

export interface ContextOptions {
  owner_is_tenant: boolean;
  admin_role: string;
  allow_anonymous_access: boolean;
}

/** The context of a request whose token was checked; null when there is none and anonymous access is off. */
export function contextOf(
  request: FastifyRequest,
  options: ContextOptions,
  world: World,
): ImageContext | null {
  const token = request.token;
  const common = {
    requestId: request.requestId,
    traceparent: request.traceparent,
    remoteAddress: request.ip,
  };
  if (!token) {
    if (!options.allow_anonymous_access) return null;
    return { ...requestContext(common, world), owner: null, readOnly: true };
  }
  const roles = token.roles.map(role => role.trim().toLowerCase());
  return {
    ...requestContext(
      {
        ...common,
        userId: token.userId,
        userName: token.userName,
        projectId: token.tenantId,
        projectName: token.tenantName,
        roles,
        isAdmin: roles.includes(options.admin_role.trim().toLowerCase()),
        authToken: token.id,
        serviceCatalog: token.serviceCatalog,
      },
      world,
    ),
    owner: options.owner_is_tenant ? token.tenantId : token.userId,
    readOnly: false,
  };
}

/** Without an identity service in front everybody is an administrator, as in Folsom's stock pipeline. */
export const unauthenticatedContext = (request: FastifyRequest, world: World): ImageContext => ({
  ...requestContext(
    {
      requestId: request.requestId,
      traceparent: request.traceparent,
      remoteAddress: request.ip,
      isAdmin: true,
    },
    world,
  ),
  owner: null,
  readOnly: false,
});

/** For work nobody asked for: recovery, scrubber, prefetcher. */
export const serviceContext = (world: World, fields: Partial<RequestContext> = {}): ImageContext => ({
  ...requestContext({ ...fields, isAdmin: true }, world),
  owner: fields.projectId ?? null,
  readOnly: false,
});
