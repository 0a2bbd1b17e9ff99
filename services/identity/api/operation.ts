import { operationFor } from '@folsom/http/operation';
import type { FaultName } from '../faults.ts';
import type { Caller, Port } from './caller.ts';
import type { Dependencies } from './dependencies.ts';

/** Declares an operation of the identity API. */
export const operation = operationFor<Dependencies, Caller, FaultName>();

export const PUBLIC: readonly Port[] = ['public'];
export const ADMIN: readonly Port[] = ['admin'];
export const BOTH: readonly Port[] = ['public', 'admin'];

/** What most operations are: on the admin port, for the bootstrap token or whom the policy takes for an administrator. */
export const forAdmins = { ports: ADMIN, policy: 'admin_required' } as const;
/** The user of the path, or an administrator. */
export const SELF_OR_ADMIN = 'self_or_admin';
