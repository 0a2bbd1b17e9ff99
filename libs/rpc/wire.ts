import { pythonIso, type RequestContext, requestContext, traceparentOf } from '@folsom/core';
import type { Message } from './bus.ts';
import { rpcFault } from './faults.ts';
import { RPC_LIMITS } from './limits.ts';

/** One JSON object on the bus: the method dictionary with the context's fields flattened into it. */
export type Body = Record<string, unknown>;

/**
 * Writes the context's fields as `_context_<field>`. The list is closed: a field added to the context in our
 * programs never reaches the bus, its logs or a notification unless it is named here.
 */
function packContext(context: RequestContext): Body {
  return {
    _context_auth_token: context.authToken,
    _context_instance_lock_checked: false,
    _context_is_admin: context.isAdmin,
    _context_project_id: context.projectId,
    _context_project_name: context.projectName,
    _context_quota_class: context.quotaClass,
    _context_read_deleted: context.readDeleted,
    _context_remote_address: context.remoteAddress,
    _context_request_id: context.requestId,
    _context_roles: context.roles,
    _context_service_catalog: context.serviceCatalog.length === 0 ? null : context.serviceCatalog,
    _context_timestamp: isoMicroseconds(context.timestamp),
    _context_user_id: context.userId,
    _context_user_name: context.userName,
  };
}

/** A notification is read by strangers, so its context carries neither the token nor the catalog. */
export const packNotificationContext = (context: RequestContext): Body => ({
  ...packContext(context),
  _context_auth_token: null,
  _context_service_catalog: null,
});

/** Reads the known context fields of a body; unknown ones and values of the wrong type are left out. */
export function unpackContext(body: Body, now: number): RequestContext {
  const text = (field: string): string | null => {
    const value = body[`_context_${field}`];
    return typeof value === 'string' ? value : null;
  };
  const list = (field: string): unknown[] => {
    const value = body[`_context_${field}`];
    return Array.isArray(value) ? value : [];
  };
  const readDeleted = text('read_deleted');
  const requestId = text('request_id');
  const stamp = Date.parse(`${text('timestamp')?.slice(0, 23).replace(' ', 'T') ?? ''}Z`);
  return requestContext({
    ...(requestId === null ? {} : { requestId }),
    userId: text('user_id'),
    projectId: text('project_id'),
    userName: text('user_name'),
    projectName: text('project_name'),
    roles: list('roles').filter(role => typeof role === 'string'),
    isAdmin: body._context_is_admin === true,
    authToken: text('auth_token'),
    remoteAddress: text('remote_address'),
    timestamp: Number.isNaN(stamp) ? now : stamp,
    readDeleted: readDeleted === 'yes' || readDeleted === 'only' ? readDeleted : 'no',
    quotaClass: text('quota_class'),
    serviceCatalog: list('service_catalog'),
    traceparent: traceparentOf(body[TRACEPARENT]),
  });
}

/** The trace of a message. No field of the context: an original's daemons complain of those they do not know. */
const TRACEPARENT = '_traceparent';

/** A request body as Folsom's callers publish it; `msgId` only for calls. */
export function requestBody(context: RequestContext, message: Message, msgId?: string): Body {
  return {
    ...packContext(context),
    ...(context.traceparent === null ? {} : { [TRACEPARENT]: context.traceparent }),
    ...(msgId === undefined ? {} : { _msg_id: msgId }),
    method: message.method,
    args: message.args,
    ...(message.version === undefined ? {} : { version: message.version }),
  };
}

/**
 * A cast as its sender keeps it.
 *
 * @throws Fault `RpcMessageTooLarge`
 */
export function castText(context: RequestContext, message: Message): string {
  const text = JSON.stringify(requestBody(context, message));
  if (text.length > RPC_LIMITS.messageBytesMax) {
    throw rpcFault('RpcMessageTooLarge', { bytes: text.length, limit: RPC_LIMITS.messageBytesMax });
  }
  return text;
}

/** `2012-09-27T10:00:00.000000`: always with the fraction, as Folsom's contexts and rows travel. */
const isoMicroseconds = (ms: number): string => {
  const text = pythonIso(ms);
  return text.includes('.') ? text : `${text}.000000`;
};
