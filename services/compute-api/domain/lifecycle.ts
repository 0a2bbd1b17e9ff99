import { elevated, isFault, type RequestContext } from '@folsom/core';
import { novaFault } from '@folsom/nova/faults';
import { type InstanceRecord, instanceRecord } from '@folsom/nova/instance-records';
import { checkAction, invalidState, powerState, taskState, vmState } from '@folsom/nova/instance-state';
import { destroyInstance, tryUpdateInstance } from '@folsom/nova/instances';
import { migrationByInstance } from '@folsom/nova/migrations';
import { confirmResizeAndWait } from '@folsom/nova/rpc/compute';
import { listServices, serviceIsUp } from '@folsom/nova/services';
import { authorize, type Deps } from '../deps.ts';
import { begin, change, hostOf } from './actions.ts';
import { targetOf, wireOf } from './instances.ts';
import { downsizeDeltas, reserveFor } from './resize.ts';

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
  const { record, wire } = await begin(deps, context, instance, 'reboot', {
    task_state,
    vm_state: vmState.active,
  });
  await deps.compute.reboot_instance(context, { instance: wire, reboot_type: type }, hostOf(record));
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
  const { record, wire } = await begin(deps, context, instance, name, step);
  await deps.compute[PLAIN[name]](context, { instance: wire }, hostOf(record));
}

export async function rescue(
  deps: Deps,
  context: RequestContext,
  instance: InstanceRecord,
  password: string,
): Promise<void> {
  const { record, wire } = await begin(deps, context, instance, 'rescue');
  await deps.compute.rescue_instance(context, { instance: wire, rescue_password: password }, hostOf(record));
}

export async function setAdminPassword(
  deps: Deps,
  context: RequestContext,
  instance: InstanceRecord,
  password: string,
): Promise<void> {
  const { record, wire } = await begin(deps, context, instance, 'set_admin_password');
  await deps.compute.set_admin_password(context, { instance: wire, new_pass: password }, hostOf(record));
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

/** Deletes now, or marks for the reclaiming sweep where the operator keeps deleted instances for a while. */
export async function deleteOrSoftDelete(
  deps: Deps,
  context: RequestContext,
  instance: InstanceRecord,
): Promise<void> {
  if (deps.config.reclaim_instance_interval > 0) return softDelete(deps, context, instance);
  authorize(deps, context, 'compute:delete', targetOf(instance));
  checkAction('delete', instance, context);
  if (!instance.disable_terminate) await terminate(deps, context, instance);
}

async function softDelete(deps: Deps, context: RequestContext, instance: InstanceRecord): Promise<void> {
  authorize(deps, context, 'compute:soft_delete', targetOf(instance));
  checkAction('soft_delete', instance, context);
  if (instance.disable_terminate) return;
  if (instance.host === null) {
    // There is no host whose sweep would find it.
    await destroyInstance(deps.db.knex, instance.uuid, deps.clock.now());
    return;
  }
  const { record, wire } = await begin(deps, context, instance, 'soft_delete', {
    deleted_at: deps.clock.now(),
  });
  await deps.compute.power_off_instance(context, { instance: wire }, hostOf(record));
}

export async function restore(deps: Deps, context: RequestContext, instance: InstanceRecord): Promise<void> {
  if (instance.host === null) {
    authorize(deps, context, 'compute:restore', targetOf(instance));
    checkAction('restore', instance, context);
    await change(deps, context, instance, { vm_state: vmState.active, task_state: null, deleted_at: null });
    return;
  }
  const { record, wire } = await begin(deps, context, instance, 'restore', { deleted_at: null });
  await deps.compute.power_on_instance(context, { instance: wire }, hostOf(record));
}

export async function forceDelete(
  deps: Deps,
  context: RequestContext,
  instance: InstanceRecord,
): Promise<void> {
  authorize(deps, context, 'compute:force_delete', targetOf(instance));
  checkAction('force_delete', instance, context);
  await terminate(deps, context, instance);
}

/**
 * Ends an instance in whatever state it is. From the moment its task_state is `deleting` it uses no quota. One that has
 * no host yet is gone at once; the scheduler finds it deleted.
 */
async function terminate(deps: Deps, context: RequestContext, instance: InstanceRecord): Promise<void> {
  const { knex } = deps.db;
  const record = await change(deps, context, instance, { task_state: taskState.deleting, progress: 0 });
  if (record.host === null && (await destroyUnplaced(deps, record))) return;
  const current = record.host === null ? await reread(deps, record) : record;
  if (current === undefined) return;
  if (current.vm_state === vmState.resized) await confirmFirst(deps, context, current);
  const services = await listServices(knex, { topic: 'compute', host: current.host ?? '' });
  const downMs = deps.config.service_down_time * 1000;
  if (services.some(service => serviceIsUp(service, deps.clock.now(), downMs))) {
    await deps.compute.terminate_instance(context, { instance: wireOf(deps, current) }, hostOf(current));
    return;
  }
  await deleteLocally(deps, context, current);
}

/** True when the row went while it still had no host. */
async function destroyUnplaced(deps: Deps, record: InstanceRecord): Promise<boolean> {
  const now = deps.clock.now();
  return deps.db.transaction(async trx => {
    const placed = await trx('instances')
      .where({ uuid: record.uuid, deleted: 0 })
      .whereNotNull('host')
      .first('id');
    if (placed) return false;
    await tryUpdateInstance(
      trx,
      record.uuid,
      { vm_state: vmState.deleted, task_state: null, terminated_at: now },
      now,
    );
    await destroyInstance(trx, record.uuid, now);
    return true;
  });
}

async function reread(deps: Deps, record: InstanceRecord): Promise<InstanceRecord | undefined> {
  try {
    return await instanceRecord(deps.db.knex, record.uuid);
  } catch (error) {
    if (isFault(error, 'InstanceNotFound')) return undefined;
    throw error;
  }
}

/** A resize that waits for its confirmation leaves the old guest behind: confirm it, then delete the new one. */
async function confirmFirst(deps: Deps, context: RequestContext, instance: InstanceRecord): Promise<void> {
  const admin = elevated(context);
  try {
    const migration = await migrationByInstance(deps.db.knex, instance.uuid, 'finished');
    const reservations = await reserveFor(deps, instance, await downsizeDeltas(deps, migration));
    await confirmResizeAndWait
      .client(deps.bus)
      .confirm_resize(
        admin,
        { instance: wireOf(deps, instance), migration_id: migration.id, reservations },
        { host: migration.source_compute ?? '' },
      );
  } catch (error) {
    if (!isFault(error, 'MigrationNotFoundByStatus')) throw error;
  }
}

/** The host is down: give back what can be given back without it. Its own audit removes the guest when it is up again. */
async function deleteLocally(deps: Deps, context: RequestContext, instance: InstanceRecord): Promise<void> {
  deps.log.warn('host of the instance is down, deleting it from the database', {
    instance: instance.uuid,
    host: instance.host,
  });
  try {
    await deps.network.deallocateForInstance(elevated(context), {
      id: instance.id,
      uuid: instance.uuid,
      project_id: instance.project_id,
      host: instance.host,
      rxtx_factor: instance.flavor.rxtx_factor,
    });
  } catch (error) {
    deps.log.warn('addresses could not be given back now', { instance: instance.uuid, error });
  }
  const now = deps.clock.now();
  await deps.db.transaction(async trx => {
    await tryUpdateInstance(
      trx,
      instance.uuid,
      { vm_state: vmState.deleted, task_state: null, terminated_at: now, power_state: powerState.noState },
      now,
    );
    await trx('block_device_mapping')
      .where({ instance_uuid: instance.uuid, deleted: 0 })
      .update({ deleted: 1 });
    await destroyInstance(trx, instance.uuid, now);
  });
}

/** @throws Fault `InstanceNotReady` */
export async function vncConsole(
  deps: Deps,
  context: RequestContext,
  instance: InstanceRecord,
  type: string,
): Promise<string> {
  authorize(deps, context, 'compute:get_vnc_console', targetOf(instance));
  if (instance.host === null) throw novaFault('InstanceNotReady', { instance_id: instance.uuid });
  const info = await deps.compute.get_vnc_console(
    context,
    { instance: wireOf(deps, instance), console_type: type },
    hostOf(instance),
  );
  await deps.bus.call(context, deps.config.consoleauth_topic, {
    method: 'authorize_console',
    version: '1.0',
    args: {
      token: info.token,
      console_type: type,
      host: info.host,
      port: info.port,
      internal_access_path: info.internal_access_path,
      instance_uuid: instance.uuid,
    },
  });
  return info.access_url;
}

/** @throws Fault `InstanceNotReady` */
export async function consoleOutput(
  deps: Deps,
  context: RequestContext,
  instance: InstanceRecord,
  lines: number | null,
): Promise<string> {
  authorize(deps, context, 'compute:get_console_output', targetOf(instance));
  if (instance.host === null) throw novaFault('InstanceNotReady', { instance_id: instance.uuid });
  return deps.compute.get_console_output(
    context,
    { instance: wireOf(deps, instance), tail_length: lines },
    hostOf(instance),
  );
}

export async function diagnostics(
  deps: Deps,
  context: RequestContext,
  instance: InstanceRecord,
): Promise<unknown> {
  authorize(deps, context, 'compute:get_diagnostics', targetOf(instance));
  return deps.compute.get_diagnostics(context, { instance: wireOf(deps, instance) }, hostOf(instance));
}

/** Moves a running guest to another host. @throws what the scheduler answers */
export async function liveMigrate(
  deps: Deps,
  context: RequestContext,
  instance: InstanceRecord,
  to: { host: string; block_migration: boolean; disk_over_commit: boolean },
): Promise<void> {
  const { record, wire } = await begin(deps, context, instance, 'live_migrate');
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
