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
import type { InstanceWire } from '@folsom/nova/rpc/wire';
import { authorize, type Deps } from '../deps.ts';
import { targetOf, wireOf } from './instances.ts';
import { notifyUpdate } from './notifications.ts';

/** What goes with an action's first step. */
export interface Step extends InstanceChanges {
  task_state?: string | null;
  vm_state?: string;
}

/**
 * Begins an action: policy, lock and state by the table, then the first state in one compare-and-set, so that of two
 * callers at the same moment one wins and the other gets the conflict. Answers the instance as it is from then on.
 *
 * @throws Fault `PolicyNotAuthorized`, `InstanceIsLocked`, `InstanceInvalidState`
 */
export async function begin(
  deps: Deps,
  context: RequestContext,
  instance: InstanceRecord,
  name: ActionName,
  step: Step = {},
): Promise<{ record: InstanceRecord; wire: InstanceWire }> {
  authorize(deps, context, `compute:${name}`, targetOf(instance));
  checkAction(name, instance, context);
  const rule: ActionRule = actions[name];
  const changes: Step = {
    ...(rule.to === undefined ? {} : { vm_state: rule.to }),
    ...(rule.task === undefined ? {} : { task_state: rule.task }),
    ...step,
  };
  const record = await change(deps, context, instance, changes, {
    during: rule.during,
    from: rule.from,
    method: name,
  });
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
): Promise<InstanceRecord> {
  const { knex } = deps.db;
  try {
    await updateInstance(knex, instance.uuid, changes, deps.clock.now(), {
      ...(guard.during === 'any' ? {} : { expectedTaskState: guard.during }),
      ...(guard.from === 'any' ? {} : { expectedVmState: guard.from }),
    });
  } catch (error) {
    if (!isFault(error, 'UnexpectedTaskStateError')) throw error;
    const now = await instanceRecord(knex, instance.uuid, { readDeleted: 'yes' });
    const stateOk = guard.from === 'any' || guard.from.includes(now.vm_state);
    throw stateOk
      ? invalidState(now.uuid, 'task_state', now.task_state, guard.method)
      : invalidState(now.uuid, 'vm_state', now.vm_state, guard.method);
  }
  const record = await instanceRecord(knex, instance.uuid, { readDeleted: 'yes' });
  await notifyUpdate(deps, context, record, instance);
  return record;
}

/** Where messages for an instance go. */
export const hostOf = (instance: { host: string | null }): { host?: string } =>
  instance.host === null ? {} : { host: instance.host };
