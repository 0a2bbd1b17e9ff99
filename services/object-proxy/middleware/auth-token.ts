import { IDENTITY_HEADERS, type TokenInfo } from '@folsom/auth';
import { isFault } from '@folsom/core';
import { answer } from '@folsom/swift-http';
import { isTrue } from '../request.ts';
import type { Middleware } from './middleware.ts';

/** Checks keystone tokens. With `delay_auth_decision` a missing or bad one is left to those further in. */
export const authToken: Middleware = (app, conf, tools) => {
  const delay = isTrue(conf.values.delay_auth_decision);
  const host = conf.str('auth_host', '127.0.0.1');
  const authUri = conf.str(
    'auth_uri',
    `${conf.str('auth_protocol', 'https')}://${host}:${conf.str('auth_port', '35357')}`,
  );
  return async request => {
    for (const name of IDENTITY_HEADERS) request.headers.delete(name);
    const token = request.headers.get('x-auth-token') ?? request.headers.get('x-storage-token');
    let found: TokenInfo | null = null;
    try {
      if (token && tools.validator) found = await tools.validator.validate(token);
    } catch (error) {
      if (!isFault(error, 'IdentityUnavailable')) throw error;
      // Neither good nor bad: whoever asks may ask again, as the original's middleware says it.
      tools.log.error('the identity service does not answer', { requestId: request.transId, error });
      return answer(503, request);
    }
    if (found) {
      request.identity = {
        userName: found.userName,
        tenantId: found.tenantId,
        tenantName: found.tenantName,
        roles: found.roles,
      };
      return app(request);
    }
    if (delay) return app(request);
    const refused = answer(401, request, { body: 'Authentication required', contentType: 'text/plain' });
    refused.headers.set('www-authenticate', `Keystone uri='${authUri}'`);
    return refused;
  };
};
