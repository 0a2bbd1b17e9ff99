import { isFault, type RequestContext } from '@folsom/core';
import { type InstanceRecord, instanceRecord } from '@folsom/nova/instance-records';
import {
  type ActionName,
  type ActionRule,
  actions,
  checkAction,
  invalidState,
  type TaskState,
} from '@folsom/nova/instance-state';
import { type InstanceChanges, updateInstance } from '@folsom/nova/instances';
import type { Sql } from '@folsom/nova/rows';
import { computeContract } from '@folsom/nova/rpc/compute';
import { schedulerContract } from '@folsom/nova/rpc/scheduler';
import type { InstanceWire } from '@folsom/nova/rpc/wire';
import type { Sender } from '@folsom/rpc';
import type { Deps } from './deps.ts';
import { targetOf, wireOf } from './instances.ts';
import { notifyUpdate } from './notifications.ts';
import { authorize } from './policy.ts';

/** What goes with an action's first step. */
export interface Step extends InstanceChanges {
  task_state?: string | null;
  vm_state?: string;
}

/** What an action tells the daemons, in the transaction that begins it. */
export type Tell = (
  to: {
    compute: ReturnType<(typeof computeContract)['client']>;
    scheduler: ReturnType<(typeof schedulerContract)['client']>;
  },
  begun: { record: InstanceRecord; wire: InstanceWire; trx: Sql },
) => Promise<void>;

/** What ends without a host, too. */
const DELETIONS: ReadonlySet<ActionName> = new Set(['delete', 'soft_delete', 'force_delete']);

/**
 * Begins an action: policy, lock and state by the table, then the first state in one compare-and-set, so that of two
 * callers at the same moment one wins and the other gets the conflict. What `tell` sends is committed together with
 * the state. Answers the instance as it is from then on.
 *
 * @throws Fault `PolicyNotAuthorized`, `InstanceIsLocked`, `InstanceInvalidState`
 */
export async function begin(
  deps: Deps,
  context: RequestContext,
  instance: InstanceRecord,
  name: ActionName,
  step: Step,
  tell: Tell,
): Promise<{ record: InstanceRecord; wire: InstanceWire }> {
  authorize(deps, context, `compute:${name}`, targetOf(instance));
  checkAction(name, instance, context);
  const rule: ActionRule = actions[name];
  // The task is ended by the host alone that has the guest; a build that failed on every host has none.
  if (rule.task && instance.host === null && !DELETIONS.has(name))
    throw invalidState(instance.uuid, 'vm_state', instance.vm_state, name);
  const changes: Step = {
    ...(rule.to === undefined ? {} : { vm_state: rule.to }),
    ...(rule.task === undefined ? {} : { task_state: rule.task }),
    ...step,
  };
  const guard = { during: rule.during, from: rule.from, method: name };
  const record = await change(deps, context, instance, changes, guard, tell);
  return { record, wire: wireOf(deps, record) };
}

interface Guard {
  during: readonly (TaskState | null)[] | 'any';
  from: readonly string[] | 'any';
  method: string;
}

/** Writes changes under the guard's condition and tells who wants to know. */
export async function change(
  deps: Deps,
  context: RequestContext,
  instance: InstanceRecord,
  changes: Step,
  guard: Guard = { during: 'any', from: 'any', method: 'update' },
  tell?: Tell,
): Promise<InstanceRecord> {
  const { knex } = deps.db;
  let record: InstanceRecord;
  try {
    record = await deps.outbox.transaction(async (trx, send) => {
      await updateInstance(trx, instance.uuid, changes, deps.clock.now(), {
        ...(guard.during === 'any' ? {} : { expectedTaskState: guard.during }),
        ...(guard.from === 'any' ? {} : { expectedVmState: guard.from }),
      });
      const after = await instanceRecord(trx, instance.uuid, { readDeleted: 'yes' });
      await tell?.(clientsOf(send), { record: after, wire: wireOf(deps, after), trx });
      return after;
    });
  } catch (error) {
    if (!isFault(error, 'UnexpectedTaskStateError')) throw error;
    const now = await instanceRecord(knex, instance.uuid, { readDeleted: 'yes' });
    const stateOk = guard.from === 'any' || guard.from.includes(now.vm_state);
    throw stateOk
      ? invalidState(now.uuid, 'task_state', now.task_state, guard.method)
      : invalidState(now.uuid, 'vm_state', now.vm_state, guard.method);
  }
  // It has happened: that nobody could be told does not undo it.
  await notifyUpdate(deps, context, record, instance).catch(error =>
    deps.log.warn('cannot notify of an update', { instance: instance.uuid, error }),
  );
  return record;
}

const clientsOf = (send: Sender) => ({
  compute: computeContract.client(send),
  scheduler: schedulerContract.client(send),
});

/** Where messages for an instance go. */
export const hostOf = (instance: { host: string | null }): { host?: string } =>
  instance.host === null ? {} : { host: instance.host };
