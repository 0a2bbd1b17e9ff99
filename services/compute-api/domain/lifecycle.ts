import { elevated, isFault, type RequestContext } from '@folsom/core';
import type { InstanceRecord } from '@folsom/nova/instance-records';
import { checkAction, invalidState, taskState, vmState } from '@folsom/nova/instance-state';
import { tryUpdateInstance } from '@folsom/nova/instances';
import { begin, change, hostOf } from './actions.ts';
import type { Deps } from './deps.ts';
import { computeFault } from './faults.ts';
import { getInstance, targetOf, wireOf } from './instances.ts';
import { newPassword } from './passwords.ts';
import { authorize } from './policy.ts';

/** Reboots: SOFT asks the guest, HARD does not. */
export async function reboot(
  deps: Deps,
  context: RequestContext,
  instance: InstanceRecord,
  type: 'SOFT' | 'HARD',
): Promise<void> {
  checkAction('reboot', instance, context);
  if (type === 'SOFT' && instance.task_state === taskState.rebooting) {
    throw invalidState(instance.uuid, 'task_state', instance.task_state, 'reboot');
  }
  const task_state = type === 'SOFT' ? taskState.rebooting : taskState.rebootingHard;
  const step = { task_state, vm_state: vmState.active };
  await begin(deps, context, instance, 'reboot', step, ({ compute }, { record, wire }) =>
    compute.reboot_instance(context, { instance: wire, reboot_type: type }, hostOf(record)),
  );
}

/** The actions that are nothing but a state and a message. */
const PLAIN = {
  pause: 'pause_instance',
  unpause: 'unpause_instance',
  suspend: 'suspend_instance',
  resume: 'resume_instance',
  start: 'start_instance',
  stop: 'stop_instance',
  unrescue: 'unrescue_instance',
  reset_network: 'reset_network',
  inject_network_info: 'inject_network_info',
} as const;

export async function act(
  deps: Deps,
  context: RequestContext,
  instance: InstanceRecord,
  name: keyof typeof PLAIN,
): Promise<void> {
  const silent = name === 'reset_network' || name === 'inject_network_info';
  if (silent) {
    authorize(deps, context, `compute:${name}`, targetOf(instance));
    checkAction(name, instance, context);
    await deps.compute[PLAIN[name]](context, { instance: wireOf(deps, instance) }, hostOf(instance));
    return;
  }
  const step = name === 'stop' ? { progress: 0 } : {};
  await begin(deps, context, instance, name, step, ({ compute }, { record, wire }) =>
    compute[PLAIN[name]](context, { instance: wire }, hostOf(record)),
  );
}

/** Answers the password of the rescue system: the one given, or a new one. */
export async function rescue(
  deps: Deps,
  context: RequestContext,
  instance: InstanceRecord,
  given?: string,
): Promise<string> {
  const password = given ?? newPassword(deps);
  await begin(deps, context, instance, 'rescue', {}, ({ compute }, { record, wire }) =>
    compute.rescue_instance(context, { instance: wire, rescue_password: password }, hostOf(record)),
  );
  return password;
}

export async function setAdminPassword(
  deps: Deps,
  context: RequestContext,
  instance: InstanceRecord,
  password: string,
): Promise<void> {
  await begin(deps, context, instance, 'set_admin_password', {}, ({ compute }, { record, wire }) =>
    compute.set_admin_password(context, { instance: wire, new_pass: password }, hostOf(record)),
  );
}

export async function setLocked(
  deps: Deps,
  context: RequestContext,
  instance: InstanceRecord,
  locked: boolean,
): Promise<void> {
  authorize(deps, context, locked ? 'compute:lock' : 'compute:unlock', targetOf(instance));
  await change(deps, elevated(context), instance, { locked });
}

/** Administrators say what state an instance is in. */
export async function resetState(
  deps: Deps,
  context: RequestContext,
  instance: InstanceRecord,
  state: 'active' | 'error',
): Promise<void> {
  authorize(deps, context, 'compute:update', targetOf(instance));
  await change(deps, context, instance, { vm_state: state, task_state: null });
}

export interface LiveMigration {
  host: string;
  block_migration: boolean;
  disk_over_commit: boolean;
}

/** Moves a running guest to another host. @throws Fault `LiveMigrationFailed`; why stands in the log */
export async function liveMigrate(
  deps: Deps,
  context: RequestContext,
  id: string,
  to: LiveMigration,
): Promise<void> {
  try {
    await askToMove(deps, context, await getInstance(deps, context, id), to);
  } catch (error) {
    if (isFault(error, 'PolicyNotAuthorized')) throw error;
    deps.log.error('live migration failed', { requestId: context.requestId, error });
    throw computeFault('LiveMigrationFailed', { instance_id: id, host: to.host });
  }
}

async function askToMove(
  deps: Deps,
  context: RequestContext,
  instance: InstanceRecord,
  to: LiveMigration,
): Promise<void> {
  // The caller waits for the scheduler's answer.
  const { record, wire } = await begin(deps, context, instance, 'live_migrate', {}, async () => {});
  try {
    await deps.scheduler.live_migration(context, {
      instance: wire,
      dest: to.host,
      block_migration: to.block_migration,
      disk_over_commit: to.disk_over_commit,
    });
  } catch (error) {
    // Nobody took it up, so nobody would ever clear the state.
    await tryUpdateInstance(deps.db.knex, record.uuid, { task_state: null }, deps.clock.now(), {
      expectedTaskState: taskState.migrating,
    });
    throw error;
  }
}

export async function addFixedIp(
  deps: Deps,
  context: RequestContext,
  instance: InstanceRecord,
  networkId: string,
): Promise<void> {
  authorize(deps, context, 'compute:add_fixed_ip', targetOf(instance));
  checkAction('add_fixed_ip', instance, context);
  await deps.compute.add_fixed_ip_to_instance(
    context,
    { instance: wireOf(deps, instance), network_id: networkId },
    hostOf(instance),
  );
}

export async function removeFixedIp(
  deps: Deps,
  context: RequestContext,
  instance: InstanceRecord,
  address: string,
): Promise<void> {
  authorize(deps, context, 'compute:remove_fixed_ip', targetOf(instance));
  checkAction('remove_fixed_ip', instance, context);
  await deps.compute.remove_fixed_ip_from_instance(
    context,
    { instance: wireOf(deps, instance), address },
    hostOf(instance),
  );
}
