import { elevated, isFault, type RequestContext } from '@folsom/core';
import { type InstanceRecord, instanceRecord } from '@folsom/nova/instance-records';
import { checkAction, powerState, taskState, vmState } from '@folsom/nova/instance-state';
import { destroyInstance, tryUpdateInstance } from '@folsom/nova/instances';
import { migrationByInstance } from '@folsom/nova/migrations';
import { confirmResizeAndWait } from '@folsom/nova/rpc/compute';
import { listServices, serviceIsUp } from '@folsom/nova/services';
import { authorize, type Deps } from '../deps.ts';
import { begin, change, hostOf } from './actions.ts';
import { targetOf, wireOf } from './instances.ts';
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
    // A source that does not answer does not keep the instance alive: its part is deleted with the rest, or by its audit.
    if (isFault(error, 'RpcTimeout'))
      return deps.log.warn('source of a resize does not answer, deleting all the same', {
        instance: instance.uuid,
      });
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
