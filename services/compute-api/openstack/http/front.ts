import type { RequestContext } from '@folsom/core';
import type { Deps as DomainDeps } from '../../domain/deps.ts';
import { authorize } from '../../domain/policy.ts';
import type { Registry } from './extension.ts';
import type { RateLimiter } from './rate-limits.ts';

export interface Deps extends DomainDeps {
  registry: Registry;
  rateLimiter: RateLimiter | undefined;
}

/** `compute_extension:<name>` for the caller. @throws Fault `PolicyNotAuthorized` */
export const authorizeExtension = (deps: Deps, context: RequestContext, name: string): void =>
  authorize(deps, context, `compute_extension:${name}`);
