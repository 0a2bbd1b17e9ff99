import { authTokenHook, type TokenValidator } from '@folsom/auth';
import type { World } from '@folsom/core';
import type { AppOptions } from '@folsom/http';
import { type ContextOptions, contextOf, unauthenticatedContext } from './context.ts';
import { httpFault } from './faults.ts';

/**
 * Sets who asks, `request.image`, or answers 401. Without a validator everybody is an administrator, as in Folsom's stock
 * pipeline.
 *
 * @param refuse whether the middleware itself answers 401, naming the identity service, instead of leaving it to the service
 */
export function loginOf(
  validator: TokenValidator | undefined,
  settings: ContextOptions,
  world: World,
  refuse: { authUri: string | undefined } | null = null,
): NonNullable<AppOptions['authenticate']> {
  if (!validator) {
    return async request => {
      request.image = unauthenticatedContext(request, world);
    };
  }
  const authUri = refuse?.authUri;
  const login = authTokenHook({
    validator,
    log: world.log,
    delayAuthDecision: refuse === null,
    ...(authUri === undefined ? {} : { authUri }),
  });
  return async (request, reply) => {
    const answered = await login(request, reply);
    if (reply.sent) return answered;
    const context = contextOf(request, settings, world);
    if (!context) throw httpFault(401);
    request.image = context;
  };
}
