import type { RequestContext } from '@folsom/core';
import { novaFault } from '@folsom/nova/faults';
import type { Deps } from './deps.ts';

/** Who a tenant-wide action is checked against: the caller. */
const callerTarget = (context: RequestContext) => ({
  project_id: context.projectId,
  user_id: context.userId,
});

/** @throws Fault `PolicyNotAuthorized` */
export function authorize(
  deps: Pick<Deps, 'policy'>,
  context: RequestContext,
  action: string,
  target: Readonly<Record<string, unknown>> = callerTarget(context),
): void {
  if (!deps.policy.check(action, target, context)) throw novaFault('PolicyNotAuthorized', { action });
}

/** The same as a question. */
export const allowed = (
  deps: Pick<Deps, 'policy'>,
  context: RequestContext,
  action: string,
  target: Readonly<Record<string, unknown>> = callerTarget(context),
): boolean => deps.policy.check(action, target, context);

/** Whether the caller is an administrator as the policy has it, whatever the token says. */
export const isAdministrator = (deps: Pick<Deps, 'policy'>, context: RequestContext): boolean =>
  deps.policy.check('context_is_admin', {}, context);

/** Within whose rows a caller may look: null for administrators, who see every tenant's. */
export const visibleProject = (context: RequestContext): string | null =>
  context.isAdmin ? null : (context.projectId ?? '');

/** For what only administrators may do whatever the policy leaves open. @throws Fault `AdminRequired` */
export function adminOnly(context: RequestContext): void {
  if (!context.isAdmin) throw novaFault('AdminRequired');
}
