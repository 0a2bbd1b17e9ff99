import { elevated, isFault, type RequestContext } from '@folsom/core';
import { cachedNetworkInfo, deleteInfoCache } from '@folsom/nova/instance-info-cache';
import { instanceWire } from '@folsom/nova/instance-records';
import { taskState, vmState } from '@folsom/nova/instance-state';
import { destroyInstance } from '@folsom/nova/instances';
import { movedBetween } from '@folsom/nova/migrations';
import type { NetworkInfo } from '@folsom/nova/network-info';
import { passing } from '@folsom/nova/passing';
import { refreshUsage } from '@folsom/nova/quota-lock';
import { computeContract } from '@folsom/nova/rpc/compute';
import { revokeConsoles } from '../console.ts';
import type { Guest } from '../driver.ts';
import { addFault, type ComputeSeam, change, guestOf, InstanceGoes, networked, nowOf } from '../seam.ts';
import { runSteps, type Step } from '../steps.ts';
import { attachmentsOf } from '../volumes.ts';

interface Destruction {
  seam: ComputeSeam;
  context: RequestContext;
  guest: Guest;
  network: NetworkInfo;
}

/** A driver that shows nothing for so long has hung. */
const DESTROY_STALLED_MS = 1_800_000;

/**
 * A deletion, in order. Nothing here is undone: each step can be repeated, and a deletion that was cut short is run
 * again from the start until it is through.
 */
export const destroySteps: readonly Step<Destruction>[] = [
  {
    name: 'begin',
    run: async ({ seam, context, guest }) => {
      await seam.notify.usage(context, guest, 'delete.start');
      await seam.notify.usage(context, guest, 'shutdown.start');
    },
  },
  {
    // The guest goes before its address, so that no two guests ever have the same one.
    name: 'destroy_guest',
    stalledMs: DESTROY_STALLED_MS,
    run: async ({ seam, guest, network }) => {
      await seam.driver.destroy(guest, network, await attachmentsOf(seam.db, guest.uuid));
    },
  },
  {
    // A move may have left something on the other host, too.
    name: 'clear_other_host',
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
    name: 'delete_record',
    run: async state => {
      const { seam, context, guest } = state;
      state.guest = await change(seam, context, guest, {
        vm_state: vmState.deleted,
        task_state: null,
        terminated_at: nowOf(seam),
      });
      await deleteInfoCache(seam.db, guest.uuid, nowOf(seam));
      await seam.db.transaction(async trx => {
        await destroyInstance(trx, guest.uuid, nowOf(seam));
        await trx('block_device_mapping')
          .where({ instance_uuid: guest.uuid, deleted: 0 })
          .update({ deleted: 1 });
      });
      seam.resources.changed();
      if (guest.project_id !== null) {
        await refreshUsage(seam.db, guest.project_id, nowOf(seam)).catch(error =>
          seam.log.warn('the use of quota could not be written down', { instance: guest.uuid, error }),
        );
      }
    },
  },
  {
    name: 'revoke_consoles',
    run: async ({ seam, context, guest }) => {
      await seam.notify.usage(context, guest, 'delete.end');
      revokeConsoles(seam, context, guest.uuid);
    },
  },
];

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
    // Another host has it, or it is gone: what is left is what a move put on this host.
    const elsewhere = guest.host !== null && guest.host !== seam.host;
    if (guest.deleted || (elsewhere && guest.task_state === taskState.deleting)) {
      return seam.driver.destroy(guest, await cachedNetworkInfo(seam.db, uuid));
    }
    seam.awaited.delete(uuid);
    try {
      const network = await knownNetwork(seam, admin, guest);
      await runSteps(
        destroySteps,
        { seam, context: admin, guest, network },
        {
          operation: 'delete',
          instanceUuid: uuid,
          clock: seam.world.clock,
          log: seam.log.child({ requestId: context.requestId }),
          observe: seam.observe,
        },
      );
    } catch (error) {
      if (passing(error) !== undefined) {
        seam.awaited.add(uuid);
        throw error;
      }
      // task_state stays `deleting`: the deletion can be asked for again, and is repeated at the next start.
      seam.log.error('cannot delete an instance', { instance: uuid, error });
      await addFault(seam, uuid, error);
      await seam.db.knex('instances').where({ uuid, deleted: 0 }).update({ vm_state: vmState.error });
      throw error;
    }
  });
}
