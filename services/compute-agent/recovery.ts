import { adminContext } from '@folsom/core';
import { toSqlTime } from '@folsom/db';
import { taskState, vmState } from '@folsom/nova/instance-state';
import { tryUpdateInstance } from '@folsom/nova/instances';
import type { Guest } from './driver.ts';
import { computeFault } from './faults.ts';
import { terminateInstance } from './operations/delete.ts';
import { type AnyOperation, recoverOperation } from './operations/operation.ts';
import { operationOn } from './operations/table.ts';
import { addFault, type ComputeSeam, isPreempted, nowOf, presentGuest } from './seam.ts';

/**
 * Runs at start, beside serving: what the last run left in the middle and needs no message is finished, undone or
 * reported, each as the table of operations says.
 */
export async function recoverInterrupted(seam: ComputeSeam, guests: readonly Guest[]): Promise<void> {
  for (const guest of guests) {
    const op = operationOn(guest);
    if (op !== undefined && op.carries === undefined) await recover(seam, op, guest);
  }
}

/**
 * The rest of it: what goes on with its message, and got none for `patienceMs`. Afterwards no instance of this host has
 * a task that nobody works on.
 */
export async function recoverWithoutMessage(
  seam: ComputeSeam,
  guests: readonly Guest[],
  patienceMs: number,
  signal: AbortSignal,
): Promise<void> {
  const waiting = guests.filter(guest => operationOn(guest)?.carries !== undefined);
  if (waiting.length === 0) return;
  if (patienceMs > 0) await seam.world.clock.sleep(patienceMs, signal).catch(() => {});
  if (signal.aborted) return;
  for (const guest of waiting) {
    const now = await presentGuest(seam, guest.uuid);
    const op = now === undefined ? undefined : operationOn(now);
    // Its message came: it is worked on, waits for another attempt, or is done.
    if (now === undefined || op === undefined || now.host !== guest.host) continue;
    if (seam.working.has(now.uuid) || seam.awaited.has(now.uuid)) continue;
    if (now.task_state === guest.task_state && now.vm_state === guest.vm_state) await recover(seam, op, now);
  }
}

/** Does what the table says, in turn with whatever else is done to the instance. */
async function recover(seam: ComputeSeam, op: AnyOperation, guest: Guest): Promise<void> {
  seam.log.warn('found work that was interrupted', {
    instance: guest.uuid,
    operation: op.name,
    vm_state: guest.vm_state,
    task_state: guest.task_state,
  });
  try {
    await recoverOperation(seam, op, adminContext(), guest);
  } catch (error) {
    // Its end is written already, or it stays as it is, and the audit takes it up again.
    if (!isPreempted(error))
      seam.log.error('cannot finish interrupted work', { instance: guest.uuid, error });
  }
}

/**
 * Work whose message was lost: nobody does it, and nobody would ever end it. It is finished, undone or reported as after
 * a restart. `olderThanMs` keeps away from what may still wait in a queue; deletions and builds have audits of their own.
 */
export async function takeUpAbandoned(
  seam: ComputeSeam,
  guests: readonly Guest[],
  olderThanMs: number,
): Promise<void> {
  const before = nowOf(seam) - olderThanMs;
  for (const listed of guests) {
    if (listed.task_state === taskState.deleting || operationOn(listed) === undefined) continue;
    if (seam.working.has(listed.uuid) || seam.awaited.has(listed.uuid)) continue;
    if ((listed.updated_at ?? listed.created_at ?? 0) > before) continue;
    const guest = await presentGuest(seam, listed.uuid);
    if (guest?.host !== seam.host || guest.task_state !== listed.task_state) continue;
    const op = operationOn(guest);
    if (op !== undefined) await recover(seam, op, guest);
  }
}

/**
 * Deletions that failed are tried again; builds that no message speaks of any more end in ERROR. `olderThanMs` keeps
 * away from what may still be on its way.
 */
export async function repeatDeletions(
  seam: ComputeSeam,
  guests: readonly Guest[],
  olderThanMs: number,
): Promise<void> {
  const before = nowOf(seam) - olderThanMs;
  for (const guest of guests) {
    if (guest.task_state !== taskState.deleting || seam.working.has(guest.uuid)) continue;
    if (seam.awaited.has(guest.uuid)) continue;
    if ((guest.updated_at ?? 0) > before) continue;
    await terminateInstance(seam, adminContext(), guest.uuid).catch(error =>
      seam.log.warn('a deletion failed once more', { instance: guest.uuid, error }),
    );
  }
}

/** A build that takes longer than instance_build_timeout is given up. */
export async function expireBuilds(seam: ComputeSeam, guests: readonly Guest[]): Promise<void> {
  const timeout = seam.settings.instance_build_timeout;
  if (timeout <= 0) return;
  for (const guest of guests) {
    if (guest.vm_state !== vmState.building || nowOf(seam) - (guest.created_at ?? 0) < timeout * 1000)
      continue;
    seam.log.warn('build timed out', { instance: guest.uuid });
    seam.working.get(guest.uuid)?.abort(computeFault('InstanceDeployFailure', { reason: 'build timed out' }));
    await tryUpdateInstance(seam.db.knex, guest.uuid, { vm_state: vmState.error }, nowOf(seam), {
      host: seam.host,
      expectedVmState: vmState.building,
    });
  }
}

/**
 * Builds that no host has taken and no message speaks of any more: the process that carried them died. They end in
 * ERROR with the reason. Every host may look; one of them changes the row.
 */
export async function expireLostBuilds(seam: ComputeSeam, olderThanMs: number): Promise<void> {
  const before = toSqlTime(nowOf(seam) - olderThanMs);
  const rows = (await seam.db
    .knex('instances')
    .where({ deleted: 0, vm_state: vmState.building })
    .whereNull('host')
    .where(query => void query.whereNull('task_state').orWhere('task_state', taskState.scheduling))
    .where(
      query =>
        void query
          .where('updated_at', '<=', before)
          .orWhere(created => void created.whereNull('updated_at').where('created_at', '<=', before)),
    )
    .limit(LOST_BUILDS_MAX)
    .select('uuid', 'task_state')) as { uuid: string; task_state: string | null }[];
  for (const row of rows) {
    const ours = await tryUpdateInstance(
      seam.db.knex,
      row.uuid,
      { vm_state: vmState.error, task_state: null },
      nowOf(seam),
      { host: null, expectedVmState: vmState.building, expectedTaskState: row.task_state },
    );
    if (!ours) continue;
    seam.log.warn('a build was lost on its way', { instance: row.uuid });
    await addFault(
      seam,
      row.uuid,
      computeFault('InstanceInterrupted', { host: seam.host, task: 'scheduling' }),
    );
  }
}
const LOST_BUILDS_MAX = 500;
