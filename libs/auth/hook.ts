import { Fault, type Logger } from '@folsom/core';
import { webobAnswer } from '@folsom/wire/webob-page';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { TOKEN_CHARS_MAX, type TokenInfo, type TokenValidator } from './token.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by authTokenHook: who asks; null for a request let through without a valid token. */
    token: TokenInfo | null;
  }
}

export interface AuthTokenOptions {
  validator: TokenValidator;
  log: Logger;
  /** What the 401 names as the place to log in. */
  authUri?: string;
  /** Lets requests without a valid token through with `request.token` null: the service decides later (glance, swift). */
  delayAuthDecision?: boolean;
}

/** Headers the original middleware sets for the service behind it: from outside they are only ever forgeries. */
export const IDENTITY_HEADERS = [
  'x-identity-status',
  'x-tenant-id',
  'x-tenant-name',
  'x-user-id',
  'x-user-name',
  'x-roles',
  'x-service-catalog',
  'x-user',
  'x-tenant',
  'x-role',
] as const;

/**
 * A fastify onRequest hook that does what Folsom's auth_token middleware did: strips identity headers, validates
 * X-Auth-Token (or X-Storage-Token) and sets `request.token`, or answers the middleware's own 401 (503 when the identity
 * service cannot be reached). A token without a tenant counts as invalid, as it did there.
 */
export function authTokenHook(
  options: AuthTokenOptions,
): (request: FastifyRequest, reply: FastifyReply) => Promise<unknown> {
  const { validator, log, authUri = 'http://127.0.0.1:35357', delayAuthDecision = false } = options;
  return async (request, reply) => {
    for (const header of IDENTITY_HEADERS) delete request.headers[header];
    request.token = null;
    const sent = request.headers['x-auth-token'] ?? request.headers['x-storage-token'];
    const token = Array.isArray(sent) ? sent[0] : sent;
    try {
      const info = token && token.length <= TOKEN_CHARS_MAX ? await validator.validate(token) : null;
      if (info && info.tenantId !== null) {
        request.token = info;
        request.tenantId = info.tenantId;
        return;
      }
    } catch (error) {
      if (!(error instanceof Fault) || error.status !== 503) throw error;
      log.warn('a token cannot be looked at', { requestId: request.requestId, error });
      return unavailable(request, reply);
    }
    if (delayAuthDecision) return;
    return unauthorized(request, reply, authUri);
  };
}

const EXPLANATION_401 =
  'This server could not verify that you are authorized to access the document you requested. Either you supplied the ' +
  'wrong credentials (e.g., bad password), or your browser does not understand how to supply the credentials required.';
const EXPLANATION_503 = 'The server is currently unavailable. Please try again at a later time.';

const unauthorized = (request: FastifyRequest, reply: FastifyReply, authUri: string) => {
  reply.header('www-authenticate', `Keystone uri='${authUri}'`);
  return plain(request, reply, 401, 'Unauthorized', EXPLANATION_401, 'Authentication required');
};

const unavailable = (request: FastifyRequest, reply: FastifyReply) =>
  plain(request, reply, 503, 'Service Unavailable', EXPLANATION_503, '');

function plain(
  request: FastifyRequest,
  reply: FastifyReply,
  status: number,
  reason: string,
  explanation: string,
  detail: string,
): FastifyReply {
  const { type, body } = webobAnswer({ status, reason, explanation, detail }, request.headers.accept);
  return reply.code(status).header('content-type', type).send(body);
}
