import { type Clock, systemClock } from './clock.ts';
import { type Random, systemRandom } from './random.ts';

/** Who asks, and under which request id. Made at the door of a service, passed to every call, carried over the bus. */
export interface RequestContext {
  /** `req-<uuid>` */
  requestId: string;
  userId: string | null;
  projectId: string | null;
  userName: string | null;
  projectName: string | null;
  roles: readonly string[];
  isAdmin: boolean;
  authToken: string | null;
  remoteAddress: string | null;
  /** Milliseconds since the epoch at which the request arrived. */
  timestamp: number;
  readDeleted: 'no' | 'yes' | 'only';
  quotaClass: string | null;
  /** The caller's catalog as keystone v2.0 gives it. */
  serviceCatalog: readonly unknown[];
  /** The trace that this is part of, as W3C writes it; null where nobody began one. */
  traceparent: string | null;
}

export const newRequestId = (random: Random = systemRandom): string => `req-${random.uuid()}`;

/** A context with every field present; unspecified ones are empty and without rights. */
export function requestContext(
  fields: Partial<RequestContext> = {},
  seam: { clock?: Clock; random?: Random } = {},
): RequestContext {
  return {
    requestId: fields.requestId ?? newRequestId(seam.random),
    userId: fields.userId ?? null,
    projectId: fields.projectId ?? null,
    userName: fields.userName ?? null,
    projectName: fields.projectName ?? null,
    roles: fields.roles ?? [],
    isAdmin: fields.isAdmin ?? false,
    authToken: fields.authToken ?? null,
    remoteAddress: fields.remoteAddress ?? null,
    timestamp: fields.timestamp ?? (seam.clock ?? systemClock).now(),
    readDeleted: fields.readDeleted ?? 'no',
    quotaClass: fields.quotaClass ?? null,
    serviceCatalog: fields.serviceCatalog ?? [],
    traceparent: fields.traceparent ?? null,
  };
}

/** The context a service uses for work nobody asked for (periodic tasks, start-up). */
export const adminContext = (fields: Partial<RequestContext> = {}): RequestContext =>
  requestContext({ ...fields, isAdmin: true, roles: fields.roles ?? ['admin'] });

/** The same request with administrator rights, for work done on the caller's behalf. */
export const elevated = (context: RequestContext, fields: Partial<RequestContext> = {}): RequestContext => ({
  ...context,
  ...fields,
  isAdmin: true,
  roles: context.roles.includes('admin') ? context.roles : [...context.roles, 'admin'],
});
