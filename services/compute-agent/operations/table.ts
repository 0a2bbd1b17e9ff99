import { isFault, type RequestContext } from '@folsom/core';
import { releaseIfMine } from '@folsom/nova/instance-claims';
import { cachedNetworkInfo } from '@folsom/nova/instance-info-cache';
import { instanceWire } from '@folsom/nova/instance-records';
import { powerState, taskState, vmState } from '@folsom/nova/instance-state';
import { type MigrationRow, migrationByInstance, updateMigration } from '@folsom/nova/migrations';
import type { Guest } from '../driver.ts';
import { computeFault } from '../faults.ts';
import {
  addFault,
  type ComputeSeam,
  change,
  guestOf,
  nowOf,
  onInstance,
  powerStateOf,
  setError,
} from '../seam.ts';
import { bootSteps, giveBackBuild } from './boot.ts';
import { destroySteps, terminateInstance } from './delete.ts';
import { rebootInstance, settle, type TransitionName, transition } from './power.ts';
import { rebuild } from './rebuild.ts';
import { finishRevertResize, revertResize } from './resize.ts';

/** Takes work up that was cut short: finishes it, undoes it, or writes down that it is lost. */
type Recover = (seam: ComputeSeam, context: RequestContext, guest: Guest) => Promise<void>;

/** A long operation as the table has it; recovery and the audits go by this and by nothing else. */
export interface OperationRule {
  name: string;
  /** task_states that say it is under way. */
  tasks: readonly string[];
  /** Its steps, where it is a chain. */
  steps?: readonly { name: string }[];
  /**
   * What a restart does with it. `now`: `recover` at once; it ends the same however often it is begun. `message`: its
   * message comes again and goes on with it; `recover` is for one whose message was lost.
   */
  restart: 'now' | 'message';
  recover: Recover;
  /** Whether giving it up leaves the instance in ERROR. */
  errorState?: boolean;
}

/** Simply done again: each of these ends the same however often it is begun. */
const again =
  (name: TransitionName): Recover =>
  (seam, context, guest) =>
    transition(seam, context, name, guest.uuid);

/** The work is gone; the instance is as before, and a fault says so. */
const dropped: Recover = async (seam, context, guest) => {
  await addFault(seam, guest.uuid, interrupted(seam, guest));
  await change(
    seam,
    context,
    guest,
    { task_state: null },
    { expectedTaskState: guest.task_state, host: guest.host },
  );
};

/** Nothing sensible is left of the instance's work: ERROR, with the reason. */
const failed: Recover = async (seam, _context, guest) => {
  await addFault(seam, guest.uuid, interrupted(seam, guest));
  await setError(seam, guest);
};

const interrupted = (seam: ComputeSeam, guest: Guest) =>
  computeFault('InstanceInterrupted', { host: seam.host, task: guest.task_state ?? guest.vm_state });

/** A build: kept if its guest runs already, else everything it took is given back. */
const build: Recover = (seam, context, listed) =>
  seam.inTurn(listed.uuid, async () => {
    // The message may have come a second time and the build be done, or going on elsewhere.
    const guest = await guestOf(seam, listed.uuid);
    if (guest.vm_state !== vmState.building || guest.task_state !== listed.task_state) return;
    if (guest.host !== seam.host) return;
    await finishBuild(seam, context, guest);
  });

const finishBuild: Recover = async (seam, context, guest) => {
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
  await giveBackBuild(seam, context, guest);
  const becomes = { vm_state: vmState.error, task_state: null };
  if (await releaseIfMine(seam.db.knex, guest.uuid, seam.host, becomes, nowOf(seam)))
    await addFault(seam, guest.uuid, interrupted(seam, guest));
  seam.resources.changed();
};

const rebuildAgain: Recover = (seam, context, guest) =>
  onInstance(
    seam,
    context,
    guest.uuid,
    operation => rebuild(seam, operation, { imageRef: operation.guest.image_ref, files: [], password: null }),
    { errorState: true },
  );

const reboot: Recover = (seam, context, guest) => rebootInstance(seam, context, guest.uuid, 'HARD');

/** The password never reached us a second time; a rescue without it would lock the user out. */
const rescue: Recover = async (seam, context, guest) => {
  await seam.driver
    .unrescue(guest, await cachedNetworkInfo(seam.db, guest.uuid))
    .catch(error => seam.log.warn('cannot end an interrupted rescue', { instance: guest.uuid, error }));
  await dropped(seam, context, guest);
};

/** Half-made images would stay for ever in `saving`, and the guest may have been stopped for the copy. */
const snapshot: Recover = async (seam, context, guest) => {
  if (guest.vm_state === vmState.active) {
    await seam.driver
      .unpause(guest)
      .catch(error =>
        seam.log.warn('cannot let a guest go on after its copy', { instance: guest.uuid, error }),
      );
  }
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

/** The instance's move in this status; a database that is away is an error, and not the answer that there is none. */
const migrationIn = (seam: ComputeSeam, guest: Guest, status: string): Promise<MigrationRow | undefined> =>
  migrationByInstance(seam.db.knex, guest.uuid, status).catch(error => {
    if (!isFault(error, 'MigrationNotFoundByStatus')) throw error;
    return undefined;
  });

/** A move that stopped half way: the guest goes back to what it was where that is possible here. */
const resize: Recover = async (seam, context, guest) => {
  for (const status of ['pre-migrating', 'migrating', 'post-migrating']) {
    const migration = await migrationIn(seam, guest, status);
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
const revert: Recover = async (seam, context, guest) => {
  const migration = await migrationIn(seam, guest, 'reverted');
  if (migration === undefined) return failed(seam, context, guest);
  const instance = instanceWire(guest, seam.settings.instance_name_template);
  const again = migration.source_compute === seam.host ? finishRevertResize : revertResize;
  await again(seam, context, { instance, migration_id: migration.id, reservations: null });
};

/** A guest that is here still did not move; one that is not is taken over by the host that has it. */
const migration: Recover = async (seam, context, guest) => {
  if ((await powerStateOf(seam, guest)) === powerState.noState) return;
  await dropped(seam, context, guest);
};

/** Every long operation of this service. */
const operations: readonly OperationRule[] = [
  {
    name: 'boot',
    // Of a build: its task is null between the claim and the network.
    tasks: [taskState.scheduling, taskState.networking, taskState.blockDeviceMapping, taskState.spawning],
    steps: bootSteps,
    restart: 'message',
    recover: build,
    errorState: true,
  },
  {
    name: 'delete',
    tasks: [taskState.deleting],
    steps: destroySteps,
    restart: 'now',
    recover: (seam, context, guest) => terminateInstance(seam, context, guest.uuid),
  },
  {
    name: 'power_off',
    tasks: [taskState.poweringOff],
    restart: 'now',
    recover: (seam, context, guest) =>
      transition(
        seam,
        context,
        seam.settings.reclaim_instance_interval > 0 ? 'power_off_instance' : 'stop_instance',
        guest.uuid,
      ),
  },
  { name: 'stop', tasks: [taskState.stopping], restart: 'now', recover: again('stop_instance') },
  {
    name: 'start',
    tasks: [taskState.starting, taskState.poweringOn],
    restart: 'now',
    recover: again('start_instance'),
  },
  { name: 'pause', tasks: [taskState.pausing], restart: 'now', recover: again('pause_instance') },
  { name: 'unpause', tasks: [taskState.unpausing], restart: 'now', recover: again('unpause_instance') },
  {
    name: 'suspend',
    tasks: [taskState.suspending],
    restart: 'now',
    recover: again('suspend_instance'),
    errorState: true,
  },
  { name: 'resume', tasks: [taskState.resuming], restart: 'now', recover: again('resume_instance') },
  {
    name: 'unrescue',
    tasks: [taskState.unrescuing],
    restart: 'now',
    recover: again('unrescue_instance'),
    errorState: true,
  },
  {
    name: 'reboot',
    tasks: [taskState.rebooting, taskState.rebootingHard],
    restart: 'now',
    recover: reboot,
  },
  { name: 'rescue', tasks: [taskState.rescuing], restart: 'message', recover: rescue, errorState: true },
  {
    name: 'snapshot',
    tasks: [taskState.imageSnapshot, taskState.imageBackup],
    restart: 'message',
    recover: snapshot,
  },
  { name: 'password', tasks: [taskState.updatingPassword], restart: 'message', recover: dropped },
  {
    name: 'rebuild',
    tasks: [taskState.rebuilding, taskState.rebuildBlockDeviceMapping, taskState.rebuildSpawning],
    // The message has the user's files and password; without it the guest is made without them.
    restart: 'message',
    recover: rebuildAgain,
    errorState: true,
  },
  {
    name: 'resize_prepare',
    tasks: [taskState.resizePrep],
    restart: 'message',
    recover: resize,
    errorState: true,
  },
  {
    name: 'resize_send',
    tasks: [taskState.resizeMigrating],
    restart: 'now',
    recover: resize,
    errorState: true,
  },
  {
    name: 'resize_finish',
    tasks: [taskState.resizeMigrated, taskState.resizeFinish],
    restart: 'message',
    recover: resize,
    errorState: true,
  },
  {
    name: 'resize_revert',
    tasks: [taskState.resizeReverting],
    restart: 'now',
    recover: revert,
    errorState: true,
  },
  { name: 'live_migration', tasks: [taskState.migrating], restart: 'now', recover: migration },
];

const byTask = new Map(operations.flatMap(rule => rule.tasks.map(task => [task, rule] as const)));
const boot = byTask.get(taskState.spawning);
/** A task that a later nova knows: nothing sensible is left of it. */
const unknownTask: OperationRule = { name: 'unknown', tasks: [], restart: 'now', recover: failed };

/** The operation that is under way on an instance; undefined when there is none. */
export function ruleOf(guest: { vm_state: string; task_state: string | null }): OperationRule | undefined {
  if (guest.task_state === taskState.deleting) return byTask.get(taskState.deleting);
  if (guest.vm_state === vmState.building) return boot;
  if (guest.task_state === null) return undefined;
  return byTask.get(guest.task_state) ?? unknownTask;
}
