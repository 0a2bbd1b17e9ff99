import { elevated, isFault, type RequestContext } from '@folsom/core';
import { type InstanceRecord, instanceRecord } from '@folsom/nova/instance-records';
import { checkAction, powerState, taskState, vmState } from '@folsom/nova/instance-state';
import { destroyInstance, tryUpdateInstance } from '@folsom/nova/instances';
import { migrationByInstance } from '@folsom/nova/migrations';
import { refreshUsage } from '@folsom/nova/quota-lock';
import { confirmResizeAndWait } from '@folsom/nova/rpc/compute';
import { listServices, serviceIsUp } from '@folsom/nova/services';
import { begin, change, hostOf, type Tell } from './actions.ts';
import type { Deps } from './deps.ts';
import { targetOf, wireOf } from './instances.ts';
import { authorize } from './policy.ts';
import { downsizeDeltas, reserveFor } from './resize.ts';

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
  const step = { deleted_at: deps.clock.now() };
  await begin(deps, context, instance, 'soft_delete', step, ({ compute }, { record, wire }) =>
    compute.power_off_instance(context, { instance: wire }, hostOf(record)),
  );
}

export async function restore(deps: Deps, context: RequestContext, instance: InstanceRecord): Promise<void> {
  if (instance.host === null) {
    authorize(deps, context, 'compute:restore', targetOf(instance));
    checkAction('restore', instance, context);
    await change(deps, context, instance, { vm_state: vmState.active, task_state: null, deleted_at: null });
    return;
  }
  const step = { deleted_at: null };
  await begin(deps, context, instance, 'restore', step, ({ compute }, { record, wire }) =>
    compute.power_on_instance(context, { instance: wire }, hostOf(record)),
  );
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
  const living = instance.host !== null && (await hostIsUp(deps, instance.host)) ? instance.host : undefined;
  let told = false;
  const tell: Tell = async ({ compute }, { record, wire }) => {
    // The common case; every other one has more to do before its host is told.
    told = record.host !== null && record.host === living && record.vm_state !== vmState.resized;
    if (told) await compute.terminate_instance(context, { instance: wire }, hostOf(record));
  };
  const step = { task_state: taskState.deleting, progress: 0 };
  const record = await change(deps, context, instance, step, undefined, tell);
  if (!told) await terminateUntold(deps, context, record);
  if (record.project_id !== null) usageChanged(deps, record.project_id);
}

/** Deletes one that has no host yet, whose host is down, or that was resized and not confirmed. */
async function terminateUntold(deps: Deps, context: RequestContext, record: InstanceRecord): Promise<void> {
  if (record.host === null && (await destroyUnplaced(deps, record))) return;
  const current = record.host === null ? await reread(deps, record) : record;
  if (current === undefined) return;
  if (current.vm_state === vmState.resized) await confirmFirst(deps, context, current);
  if (current.host !== null && (await hostIsUp(deps, current.host))) {
    await deps.compute.terminate_instance(context, { instance: wireOf(deps, current) }, hostOf(current));
  } else await deleteLocally(deps, context, current);
}

async function hostIsUp(deps: Deps, host: string): Promise<boolean> {
  const downMs = deps.config.service_down_time * 1000;
  const services = await listServices(deps.db.knex, { topic: 'compute', host });
  return services.some(service => serviceIsUp(service, deps.clock.now(), downMs));
}

/** An original that takes the database over goes by its table of usages; nobody waits for that to be written. */
function usageChanged(deps: Deps, projectId: string): void {
  void refreshUsage(deps.db, projectId, deps.clock.now()).catch(error =>
    deps.log.warn('the use of quota could not be written down; the scheduler will', { projectId, error }),
  );
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
    if (isFault(error, 'MigrationNotFoundByStatus')) return;
    if (!SOURCE_FAILED.some(name => isFault(error, name))) throw error;
    deps.log.warn('the source of a resize does not confirm, deleting all the same', {
      instance: instance.uuid,
      error,
    });
  }
}

/**
 * A source that does not answer, or that another deletion has taken on already, does not keep the instance alive: its
 * part is deleted with the rest, or by its audit.
 */
const SOURCE_FAILED = [
  'RpcTimeout',
  'RemoteError',
  'UnexpectedTaskStateError',
  'InstanceNotFound',
  'MigrationNotFound',
];

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
