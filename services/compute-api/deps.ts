import type { OptionValues } from '@folsom/config';
import type { Clock, Logger, Random, RequestContext } from '@folsom/core';
import type { Database } from '@folsom/db';
import { novaFault } from '@folsom/nova/faults';
import type { ImageClient } from '@folsom/nova/image-client';
import type { NetworkApi } from '@folsom/nova/network-api';
import type { novaOptions } from '@folsom/nova/options';
import type { Outbox } from '@folsom/nova/outbox';
import type { Limits } from '@folsom/nova/quotas';
import type { computeContract } from '@folsom/nova/rpc/compute';
import type { schedulerContract } from '@folsom/nova/rpc/scheduler';
import type { Policy } from '@folsom/policy';
import type { Bus } from '@folsom/rpc';
import type { Registry } from './openstack/http/extension.ts';
import type { RateLimiter } from './openstack/http/rate-limits.ts';

export type NovaConfig = OptionValues<(typeof novaOptions)['options']>;

/** Everything a domain function may need, made once at the start. */
export interface Deps {
  config: NovaConfig;
  db: Database;
  clock: Clock;
  random: Random;
  log: Logger;
  policy: Policy;
  bus: Bus;
  /** Writes rows and the messages that speak of them in one transaction. */
  outbox: Outbox;
  compute: ReturnType<(typeof computeContract)['client']>;
  scheduler: ReturnType<(typeof schedulerContract)['client']>;
  network: NetworkApi;
  images: ImageClient;
  /** Quotas of nova.conf. */
  quotaDefaults: Limits;
  registry: Registry;
  rateLimiter: RateLimiter | undefined;
}

/** Who a tenant-wide action is checked against: the caller. */
const callerTarget = (context: RequestContext) => ({
  project_id: context.projectId,
  user_id: context.userId,
});

/** @throws Fault `PolicyNotAuthorized` (403) */
export function authorize(
  deps: Deps,
  context: RequestContext,
  action: string,
  target: Readonly<Record<string, unknown>> = callerTarget(context),
): void {
  if (!deps.policy.check(action, target, context)) throw novaFault('PolicyNotAuthorized', { action });
}

/** The same as a question. */
export const allowed = (
  deps: Deps,
  context: RequestContext,
  action: string,
  target: Readonly<Record<string, unknown>> = callerTarget(context),
): boolean => deps.policy.check(action, target, context);

/** `compute_extension:<name>` for the caller. @throws 403 */
export const authorizeExtension = (deps: Deps, context: RequestContext, name: string): void =>
  authorize(deps, context, `compute_extension:${name}`);

/** Within whose rows a caller may look: null for administrators, who see every tenant's. */
export const visibleProject = (context: RequestContext): string | null =>
  context.isAdmin ? null : (context.projectId ?? '');

/** For changes that only administrators may make whatever the policy leaves open. @throws 403 */
export function adminOnly(context: RequestContext): void {
  if (!context.isAdmin) throw novaFault('AdminRequired');
}
