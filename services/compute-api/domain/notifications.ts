import type { RequestContext } from '@folsom/core';
import { type InstanceNotifier, instanceNotifier } from '@folsom/nova/instance-notifications';
import type { InstanceRecord } from '@folsom/nova/instance-records';
import type { Deps } from './deps.ts';

const notifierOf = (deps: Deps, service: 'api' | 'compute'): InstanceNotifier =>
  instanceNotifier({ bus: deps.bus, db: deps.db, world: deps, service, settings: deps.config });

/** Says `compute.instance.update` where the operator asked for it (notify_on_state_change, notify_on_any_change). */
export const notifyUpdate = (
  deps: Deps,
  context: RequestContext,
  record: InstanceRecord,
  before: { vm_state: string | null; task_state: string | null },
): Promise<void> => notifierOf(deps, 'api').updated(context, before, record);

/** Says of a deletion what the instance's own host would have said; that nobody can be told does not hold it up. */
export const notifyDeletion = (
  deps: Deps,
  context: RequestContext,
  record: InstanceRecord,
  event: 'delete.start' | 'delete.end',
): Promise<void> =>
  notifierOf(deps, 'compute')
    .usage(context, record, event)
    .catch(error => deps.log.warn('cannot notify of a deletion', { instance: record.uuid, error }));
