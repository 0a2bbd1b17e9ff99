import { elevated, isFault, type RequestContext } from '@folsom/core';
import { removeBlockDevices } from '@folsom/nova/block-devices';
import { cachedNetworkInfo, deleteInfoCache } from '@folsom/nova/instance-info-cache';
import { instanceWire } from '@folsom/nova/instance-records';
import { taskState, vmState } from '@folsom/nova/instance-state';
import { destroyInstance, tryUpdateInstance } from '@folsom/nova/instances';
import { movedBetween } from '@folsom/nova/migrations';
import type { NetworkInfo } from '@folsom/nova/network-info';
import { passing } from '@folsom/nova/passing';
import { refreshUsage } from '@folsom/nova/quota-lock';
import { computeContract } from '@folsom/nova/rpc/compute';
import { revokeConsoles } from '../console.ts';
import type { Guest } from '../driver.ts';
import { addFault, type ComputeSeam, change, guestOf, InstanceGoes, networked, nowOf } from '../seam.ts';
import { runSteps, type Step } from '../steps.ts';
import { attachmentsOf, deleteVolumesOf, giveVolumesBack } from '../volumes.ts';
import { operation, STALLED_MS, type Work } from './operation.ts';

interface Deletion extends Work {
  network: NetworkInfo;
}

/** Nothing here is undone: each step can be repeated, and a deletion that was cut short is run again until it is through. */
const steps: readonly Step<Deletion>[] = [
  {
    name: 'begin',
    restart: 'again',
    run: async ({ seam, context, guest, network }) => {
      // A resize that nobody has decided about is confirmed with it: metering counts the moves that have ended.
      if (guest.vm_state === vmState.resized) {
        await seam.notify.usage(context, guest, 'resize.confirm.start');
        await seam.notify.usage(context, guest, 'resize.confirm.end', {}, network);
      }
      await seam.notify.usage(context, guest, 'delete.start');
      await seam.notify.usage(context, guest, 'shutdown.start');
    },
  },
  {
    // The guest goes before its address, so that no two guests ever have the same one.
    name: 'destroy_guest',
    restart: 'again',
    stalledMs: STALLED_MS,
    run: async ({ seam, guest, network }) => {
      await seam.driver.destroy(guest, network, await attachmentsOf(seam.db, guest.uuid));
    },
  },
  {
    // A move may have left something on the other host, too.
    name: 'clear_other_host',
    restart: 'again',
    run: async ({ seam, context, guest }) => {
      for (const host of await movedBetween(seam.db.knex, guest.uuid)) {
        if (host === seam.host) continue;
        const instance = instanceWire(guest, seam.settings.instance_name_template);
        await computeContract.client(seam.bus).terminate_instance(context, { instance }, { host });
      }
    },
  },
  {
    name: 'deallocate_network',
    restart: 'again',
    run: async ({ seam, context, guest }) => {
      await seam.network.deallocateForInstance(
        context,
        networked(guest),
        guest.host === seam.host ? seam.host : undefined,
      );
      await seam.notify.usage(context, guest, 'shutdown.end');
    },
  },
  {
    name: 'give_volumes_back',
    restart: 'again',
    run: async ({ seam, context, guest }) => {
      await giveVolumesBack(seam, context, guest);
      await deleteVolumesOf(seam, context, guest);
    },
  },
  {
    name: 'delete_record',
    restart: 'again',
    run: deleteRecord,
  },
  {
    name: 'revoke_consoles',
    restart: 'again',
    run: async ({ seam, context, guest }) => {
      await seam.notify.usage(context, guest, 'delete.end');
      revokeConsoles(seam, context, guest.uuid);
    },
  },
];

/** The row goes as long as it is whose it was when the deletion began. */
async function deleteRecord(state: Deletion): Promise<void> {
  const { seam, context, guest } = state;
  const now = nowOf(seam);
  state.guest = await change(
    seam,
    context,
    guest,
    { vm_state: vmState.deleted, terminated_at: now },
    { host: guest.host },
  );
  await deleteInfoCache(seam.db.knex, guest.uuid, now);
  await seam.db.transaction(async trx => {
    await destroyInstance(trx, guest.uuid, now);
    // With the row and not before: until then a restart comes back to it.
    await trx('instances').where({ uuid: guest.uuid }).update({ task_state: null });
    await removeBlockDevices(trx, guest.uuid, now);
  });
  seam.resources.changed();
  if (guest.project_id === null) return;
  await refreshUsage(seam.db, guest.project_id, now).catch(error =>
    seam.log.warn('the use of quota could not be written down', { instance: guest.uuid, error }),
  );
}

/** A deletion; `terminateInstance` runs it. */
export const deletion = operation<Deletion>({
  name: 'delete',
  methods: ['terminate_instance'],
  asked: [taskState.deleting],
  errorState: true,
  steps,
  begin: async work => ({ ...work, network: await knownNetwork(work.seam, work.context, work.guest) }),
  again: (seam, context, guest) => terminateInstance(seam, context, guest.uuid),
});

/** The instance's network as its service knows it, else as it was known last. */
async function knownNetwork(seam: ComputeSeam, context: RequestContext, guest: Guest): Promise<NetworkInfo> {
  try {
    return await seam.network.instanceNetworkInfo(context, networked(guest));
  } catch (error) {
    if (passing(error) !== undefined) throw error;
    seam.log.warn('the network service does not know the network of an instance to delete', {
      instance: guest.uuid,
      error,
    });
    return cachedNetworkInfo(seam.db, guest.uuid);
  }
}

const absent = (error: unknown): undefined => {
  if (!isFault(error, 'InstanceNotFound')) throw error;
};

/** Deletes an instance with everything it has on this host; ends whatever else is being done to it. */
export async function terminateInstance(
  seam: ComputeSeam,
  context: RequestContext,
  uuid: string,
): Promise<void> {
  seam.working.get(uuid)?.abort(new InstanceGoes('the instance is being deleted'));
  await seam.inTurn(uuid, async () => {
    const admin = elevated(context);
    const guest = await guestOf(seam, uuid, { readDeleted: 'yes' }).catch(absent);
    if (guest === undefined) return seam.log.info('an instance to delete was never here', { instance: uuid });
    const elsewhere = guest.host !== null && guest.host !== seam.host;
    if (guest.deleted || elsewhere) return clearHere(seam, guest);
    seam.awaited.delete(uuid);
    const { signal } = new AbortController();
    try {
      const state = await deletion.begin({ seam, context: admin, guest, signal }, undefined);
      await runSteps(steps, state, {
        operation: deletion.name,
        instanceUuid: uuid,
        clock: seam.world.clock,
        metrics: seam.world.metrics,
        tracer: seam.world.tracer,
        traceparent: context.traceparent,
        log: seam.log.child({ requestId: context.requestId }),
        observe: seam.observe,
      });
    } catch (error) {
      if (passing(error) !== undefined) {
        seam.awaited.add(uuid);
        throw error;
      }
      await notDeleted(seam, guest, error);
      throw error;
    }
  });
}

/**
 * Another host has the instance, or it is gone: what is left here is what a move has put here. One that lives elsewhere
 * and is not to be deleted is let alone: the message is late, or lost its way.
 */
async function clearHere(seam: ComputeSeam, guest: Guest): Promise<void> {
  if (guest.deleted || guest.task_state === taskState.deleting) {
    const volumes = await attachmentsOf(seam.db, guest.uuid);
    return seam.driver.destroy(guest, await cachedNetworkInfo(seam.db, guest.uuid), volumes);
  }
  seam.log.warn('an instance to delete lives on another host and is not to be deleted', {
    instance: guest.uuid,
    host: guest.host,
  });
}

/** task_state stays `deleting`: the deletion can be asked for again, and is repeated by its audit and at the next start. */
async function notDeleted(seam: ComputeSeam, guest: Guest, error: unknown): Promise<void> {
  const { uuid, host } = guest;
  seam.log.error('cannot delete an instance', { instance: uuid, error });
  await addFault(seam, uuid, error);
  await tryUpdateInstance(seam.db.knex, uuid, { vm_state: vmState.error }, nowOf(seam), { host });
}
