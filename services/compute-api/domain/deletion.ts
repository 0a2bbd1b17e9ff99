import { elevated, isFault, type RequestContext } from '@folsom/core';
import { removeBlockDevices } from '@folsom/nova/block-devices';
import { deleteInfoCache } from '@folsom/nova/instance-info-cache';
import { type InstanceRecord, instanceRecord } from '@folsom/nova/instance-records';
import { checkAction, powerState, taskState, vmState } from '@folsom/nova/instance-state';
import { destroyInstance, tryUpdateInstance } from '@folsom/nova/instances';
import { endFinishedMove } from '@folsom/nova/migrations';
import { refreshUsage } from '@folsom/nova/quota-lock';
import { releaseAddresses } from '@folsom/nova/rpc/network';
import { listServices, serviceIsUp } from '@folsom/nova/services';
import { begin, change, hostOf, type Tell } from './actions.ts';
import type { Deps } from './deps.ts';
import { targetOf, wireOf } from './instances.ts';
import { notifyDeletion } from './notifications.ts';
import { authorize } from './policy.ts';
import { freeVolumes, MADE_FOR_IT } from './volumes-left.ts';

/** Deletes now, or marks for the reclaiming sweep where the operator keeps deleted instances for a while. */
export async function deleteOrSoftDelete(
  deps: Deps,
  context: RequestContext,
  instance: InstanceRecord,
): Promise<void> {
  if (deps.config.reclaim_instance_interval > 0) return softDelete(deps, context, instance);
  return deleteNow(deps, context, instance);
}

/** Deletes for good, unless it was started as one that may not be deleted. */
export async function deleteNow(
  deps: Deps,
  context: RequestContext,
  instance: InstanceRecord,
): Promise<void> {
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
 * no host yet is gone at once; the scheduler finds it deleted. Nobody is waited for: what a resize has left on another
 * host is cleared by the host that deletes, or by the other's own audit once it is there again.
 */
async function terminate(deps: Deps, context: RequestContext, instance: InstanceRecord): Promise<void> {
  const living = instance.host !== null && (await hostIsUp(deps, instance.host)) ? instance.host : undefined;
  let told = false;
  const tell: Tell = async ({ compute }, { record, wire, trx }) => {
    if (record.vm_state === vmState.resized) await endFinishedMove(trx, record.uuid, deps.clock.now());
    told = record.host !== null && record.host === living;
    if (told) await compute.terminate_instance(context, { instance: wire }, hostOf(record));
  };
  const step = { task_state: taskState.deleting, progress: 0 };
  const record = await change(deps, context, instance, step, undefined, tell);
  if (!told) await terminateUntold(deps, context, record);
  if (record.project_id !== null) usageChanged(deps, record.project_id);
}

/** Deletes one that has no host yet, or whose host is down. */
async function terminateUntold(deps: Deps, context: RequestContext, record: InstanceRecord): Promise<void> {
  if (record.host === null) await freeVolumes(deps, elevated(context), record, MADE_FOR_IT);
  if (record.host === null && (await destroyUnplaced(deps, record))) return;
  const current = record.host === null ? await reread(deps, record) : record;
  if (current === undefined) return;
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
    await removeBlockDevices(trx, record.uuid, now);
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

/** The host is down: give back what can be given back without it. Its own audit removes the guest when it is up again. */
async function deleteLocally(deps: Deps, context: RequestContext, instance: InstanceRecord): Promise<void> {
  deps.log.warn('host of the instance is down, deleting it from the database', {
    instance: instance.uuid,
    host: instance.host,
  });
  await notifyDeletion(deps, context, instance, 'delete.start');
  await freeVolumes(deps, elevated(context), instance);
  const now = deps.clock.now();
  const { id: instance_id, project_id, host } = instance;
  await deps.outbox.transaction(async (trx, send) => {
    await tryUpdateInstance(
      trx,
      instance.uuid,
      { vm_state: vmState.deleted, task_state: null, terminated_at: now, power_state: powerState.noState },
      now,
    );
    await removeBlockDevices(trx, instance.uuid, now);
    await deleteInfoCache(trx, instance.uuid, now);
    await destroyInstance(trx, instance.uuid, now);
    // With the row: the addresses are given back as soon as their service is there.
    const addresses = { instance_id, project_id, host };
    await releaseAddresses.client(send).deallocate_for_instance(elevated(context), addresses);
  });
  const gone = { ...instance, vm_state: vmState.deleted, task_state: null, terminated_at: now };
  await notifyDeletion(deps, context, gone, 'delete.end');
}
