import { adminContext, type RequestContext } from '@folsom/core';
import { toSqlTime } from '@folsom/db';
import { cachedNetworkInfo } from '@folsom/nova/instance-info-cache';
import { instanceWire } from '@folsom/nova/instance-records';
import { powerState, taskState, vmState } from '@folsom/nova/instance-state';
import { tryUpdateInstance } from '@folsom/nova/instances';
import { migrationByInstance, updateMigration } from '@folsom/nova/migrations';
import { terminateInstance } from './destroy.ts';
import type { Guest } from './driver.ts';
import { computeFault } from './faults.ts';
import { rebootInstance, settle, type TransitionName, transition } from './power.ts';
import { rebuild } from './rebuild.ts';
import { finishRevertResize, revertResize } from './resize.ts';
import {
  addFault,
  type ComputeSeam,
  change,
  guestOf,
  networked,
  nowOf,
  onInstance,
  powerStateOf,
  setError,
} from './seam.ts';

/** What becomes of work that was under way when the service ended. */
type Fate = (seam: ComputeSeam, context: RequestContext, guest: Guest) => Promise<void>;

/** Simply done again: each of these ends the same however often it is begun. */
const again =
  (name: TransitionName): Fate =>
  (seam, context, guest) =>
    transition(seam, context, name, guest.uuid);

/** The work is gone; the instance is as before, and a fault says so. */
const dropped: Fate = async (seam, context, guest) => {
  await addFault(seam, guest.uuid, interrupted(seam, guest));
  await change(seam, context, guest, { task_state: null }, { expectedTaskState: guest.task_state });
};

/** Nothing sensible is left of the instance's work: ERROR, with the reason. */
const failed: Fate = async (seam, _context, guest) => {
  await addFault(seam, guest.uuid, interrupted(seam, guest));
  await setError(seam, guest.uuid);
};

const interrupted = (seam: ComputeSeam, guest: Guest) =>
  computeFault('InstanceInterrupted', { host: seam.host, task: guest.task_state ?? guest.vm_state });

/** A build: kept if its guest runs already, else everything it took is given back. */
const build: Fate = (seam, context, listed) =>
  seam.inTurn(listed.uuid, async () => {
    // The message may have come a second time and the build be done, or going on elsewhere.
    const guest = await guestOf(seam, listed.uuid);
    if (guest.vm_state !== vmState.building || guest.task_state !== listed.task_state) return;
    if (guest.host !== seam.host) return;
    await finishBuild(seam, context, guest);
  });

const finishBuild: Fate = async (seam, context, guest) => {
  const running = (await powerStateOf(seam, guest)) === powerState.running;
  if (running && guest.task_state === taskState.spawning) {
    await seam.driver.plug(guest, await cachedNetworkInfo(seam.db, guest.uuid));
    await settle(
      seam,
      { context, guest, signal: new AbortController().signal },
      { vm_state: vmState.active, launched_at: nowOf(seam) },
      taskState.spawning,
    );
    return;
  }
  await seam.driver.destroy(guest, await cachedNetworkInfo(seam.db, guest.uuid));
  await seam.network.deallocateForInstance(context, networked(guest, seam.host));
  await addFault(seam, guest.uuid, interrupted(seam, guest));
  await setError(seam, guest.uuid);
  await seam.db.knex('instances').where({ uuid: guest.uuid, deleted: 0 }).update({ host: null });
};

const rebuildAgain: Fate = (seam, context, guest) =>
  onInstance(
    seam,
    context,
    guest.uuid,
    operation => rebuild(seam, operation, { imageRef: operation.guest.image_ref, files: [], password: null }),
    { errorState: true },
  );

const reboot: Fate = (seam, context, guest) => rebootInstance(seam, context, guest.uuid, 'HARD');

/** The password never reached us a second time; a rescue without it would lock the user out. */
const rescue: Fate = async (seam, context, guest) => {
  await seam.driver
    .unrescue(guest, await cachedNetworkInfo(seam.db, guest.uuid))
    .catch(error => seam.log.warn('cannot end an interrupted rescue', { instance: guest.uuid, error }));
  await dropped(seam, context, guest);
};

/** Half-made images would stay for ever in `saving`, and the guest may have been stopped for the copy. */
const snapshot: Fate = async (seam, context, guest) => {
  if (guest.vm_state === vmState.active) await seam.driver.unpause(guest).catch(() => {});
  const images = await seam.images.findByProperties(context, { instance_uuid: guest.uuid }).catch(error => {
    seam.log.warn('cannot look for unfinished images', { instance: guest.uuid, error });
    return [];
  });
  for (const image of images) {
    if (image.status === 'active' || image.status === 'deleted') continue;
    await seam.images
      .delete(context, image.id)
      .catch(error => seam.log.warn('cannot remove an unfinished image', { image: image.id, error }));
  }
  await dropped(seam, context, guest);
};

/** A move that stopped half way: the guest goes back to what it was where that is possible here. */
const resize: Fate = async (seam, context, guest) => {
  for (const status of ['pre-migrating', 'migrating', 'post-migrating']) {
    const migration = await migrationByInstance(seam.db.knex, guest.uuid, status).catch(() => undefined);
    if (migration === undefined) continue;
    await updateMigration(seam.db.knex, migration.id, { status: 'error' }, nowOf(seam));
    if (guest.task_state === taskState.resizeMigrating && migration.source_compute === seam.host) {
      const network = await cachedNetworkInfo(seam.db, guest.uuid);
      const signal = new AbortController().signal;
      await seam.driver.finishRevertMigration({ context, guest, network, volumes: [], signal });
      await dropped(seam, context, guest);
      return;
    }
  }
  if (guest.task_state === taskState.resizePrep) return dropped(seam, context, guest);
  await failed(seam, context, guest);
};

/** Both halves of a resize that is taken back can be done again. */
const revert: Fate = async (seam, context, guest) => {
  const migration = await migrationByInstance(seam.db.knex, guest.uuid, 'reverted').catch(() => undefined);
  if (migration === undefined) return failed(seam, context, guest);
  const instance = instanceWire(guest, seam.settings.instance_name_template);
  const again = migration.source_compute === seam.host ? finishRevertResize : revertResize;
  await again(seam, context, { instance, migration_id: migration.id, reservations: null });
};

/** A guest that is here still did not move; one that is not is taken over by the host that has it. */
const migration: Fate = async (seam, context, guest) => {
  if ((await powerStateOf(seam, guest)) === powerState.noState) return;
  await dropped(seam, context, guest);
};

const fates: Record<string, Fate> = {
  [taskState.deleting]: (seam, context, guest) => terminateInstance(seam, context, guest.uuid),
  [taskState.poweringOff]: (seam, context, guest) =>
    transition(
      seam,
      context,
      seam.settings.reclaim_instance_interval > 0 ? 'power_off_instance' : 'stop_instance',
      guest.uuid,
    ),
  [taskState.stopping]: again('stop_instance'),
  [taskState.poweringOn]: again('start_instance'),
  [taskState.starting]: again('start_instance'),
  [taskState.pausing]: again('pause_instance'),
  [taskState.unpausing]: again('unpause_instance'),
  [taskState.suspending]: again('suspend_instance'),
  [taskState.resuming]: again('resume_instance'),
  [taskState.unrescuing]: again('unrescue_instance'),
  [taskState.rebooting]: reboot,
  [taskState.rebootingHard]: reboot,
  [taskState.rescuing]: rescue,
  [taskState.imageSnapshot]: snapshot,
  [taskState.imageBackup]: snapshot,
  [taskState.updatingPassword]: dropped,
  [taskState.rebuilding]: rebuildAgain,
  [taskState.rebuildBlockDeviceMapping]: rebuildAgain,
  [taskState.rebuildSpawning]: rebuildAgain,
  [taskState.resizePrep]: resize,
  [taskState.resizeMigrating]: resize,
  [taskState.resizeMigrated]: resize,
  [taskState.resizeFinish]: resize,
  [taskState.resizeReverting]: revert,
  [taskState.migrating]: migration,
};

/**
 * Runs at start, before the first message is taken: whatever the last run left in the middle is finished, undone or
 * reported. Afterwards no instance of this host has a task that nobody works on.
 */
export async function recoverInterrupted(seam: ComputeSeam, guests: readonly Guest[]): Promise<void> {
  const context = adminContext();
  for (const guest of guests) {
    const building = guest.vm_state === vmState.building;
    if (guest.task_state === null && !building) continue;
    const fate =
      guest.task_state === taskState.deleting
        ? fates.deleting!
        : building
          ? build
          : (fates[guest.task_state ?? ''] ?? failed);
    seam.log.warn('found work that was interrupted', {
      instance: guest.uuid,
      vm_state: guest.vm_state,
      task_state: guest.task_state,
    });
    try {
      await fate(seam, context, guest);
    } catch (error) {
      seam.log.error('cannot finish interrupted work', { instance: guest.uuid, error });
      if (guest.task_state === taskState.deleting) continue; // it stays asked for and is tried again
      await addFault(seam, guest.uuid, error);
      await setError(seam, guest.uuid);
    }
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
  const abandoned: Guest[] = [];
  for (const listed of guests) {
    if (listed.task_state === null || listed.task_state === taskState.deleting) continue;
    if (seam.working.has(listed.uuid) || (listed.updated_at ?? listed.created_at ?? 0) > before) continue;
    const guest = await guestOf(seam, listed.uuid).catch(() => undefined);
    if (guest?.host === seam.host && guest.task_state === listed.task_state) abandoned.push(guest);
  }
  if (abandoned.length > 0) await recoverInterrupted(seam, abandoned);
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
    if ((guest.updated_at ?? 0) > before) continue;
    await terminateInstance(seam, adminContext(), guest.uuid).catch(() => {});
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
    .where(query => query.whereNull('task_state').orWhere('task_state', taskState.scheduling))
    .where(query =>
      query
        .where('updated_at', '<=', before)
        .orWhere(created => created.whereNull('updated_at').where('created_at', '<=', before)),
    )
    .limit(LOST_BUILDS_MAX)
    .select('uuid', 'task_state')) as { uuid: string; task_state: string | null }[];
  for (const row of rows) {
    const ours = await tryUpdateInstance(
      seam.db.knex,
      row.uuid,
      { vm_state: vmState.error, task_state: null },
      nowOf(seam),
      { expectedVmState: vmState.building, expectedTaskState: row.task_state },
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
