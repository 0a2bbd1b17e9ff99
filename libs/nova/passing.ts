import { Fault, isDiskFull, isFault } from '@folsom/core';
import { isDatabaseAway, isDatabaseFull, isDeadlock } from '@folsom/db';

/** Faults of neighbours that are away: hypervisor and image service (which answers so while keystone is away, too). */
const AWAY: readonly string[] = ['HypervisorUnavailable', 'GlanceConnectionFailed'];
/** What the other side of a call says when its database is away; the second is an original's. */
const AWAY_THERE: readonly unknown[] = ['OperationalError', 'DBError', 'DatabaseError'];

/**
 * Whether a failure passes by itself, for the daemons' {@link Recovery}: an `outage` of database or broker is waited
 * for, anything `brief` is tried a few times. Undefined for real failures.
 */
export function passing(error: unknown): 'outage' | 'brief' | undefined {
  if (isFault(error, 'RpcUnavailable') || isFault(error, 'RpcClosed')) return 'outage';
  if (isFault(error, 'RemoteError')) {
    return AWAY_THERE.includes((error as Fault).values.exc_type) ? 'outage' : undefined;
  }
  if (error instanceof Fault) return AWAY.includes(error.name) ? 'brief' : undefined;
  if (isDatabaseAway(error)) return 'outage';
  if (isDeadlock(error) || isDatabaseFull(error) || isDiskFull(error)) return 'brief';
  return undefined;
}
