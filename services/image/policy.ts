import type { Policy } from '@folsom/policy';
import { policyFrom } from '@folsom/policy';
import type { ImageContext } from './context.ts';
import { imageFault } from './faults.ts';

/** Folsom's rules when there is no policy file. */
export const defaultPolicy = (): Policy =>
  policyFrom({ default: [], manage_image_cache: [['role:admin']] }, 'default');

/** @throws 403 when the policy refuses the action. */
export function enforce(policy: Policy, context: ImageContext, action: string): void {
  if (!policy.check(action, {}, context)) throw imageFault('PolicyNotAuthorized');
}

/** @throws 403 for anonymous callers, who may only read. */
export function requireWritable(context: ImageContext): void {
  if (context.readOnly) throw imageFault('ReadOnlyAccess', { detail: 'Read-only access' });
}
