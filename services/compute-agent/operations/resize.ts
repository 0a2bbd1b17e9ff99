import { isFault, must } from '@folsom/core';
import { flavorById } from '@folsom/nova/flavors';
import { moveFloatingIps } from '@folsom/nova/floating-ips';
import { taskState, vmState } from '@folsom/nova/instance-state';
import { updateInstance } from '@folsom/nova/instances';
import {
  createMigration,
  type MigrationRow,
  migrationByInstance,
  updateMigration,
} from '@folsom/nova/migrations';
import type { NetworkInfo } from '@folsom/nova/network-info';
import { commitReservations } from '@folsom/nova/reservations';
import type { Sql } from '@folsom/nova/rows';
import { computeContract, type MigrationArgs, type PrepResizeArgs } from '@folsom/nova/rpc/compute';
import type { ImageWire } from '@folsom/nova/rpc/wire';
import { computeFault } from '../faults.ts';
import { networked, nowOf } from '../seam.ts';
import type { Step } from '../steps.ts';
import { attachmentsOf, connectVolumes, disconnectVolumes } from '../volumes.ts';
import { again, hold, operation, STALLED_MS, type Work } from './operation.ts';
import {
  beginMove,
  instanceWireOf,
  type Move,
  moveFailed,
  moveOf,
  partFailed,
  takeSize,
} from './resize-shared.ts';

/**
 * A resize, or a migration to another host while the guest is off: the destination notes it, the source stops the guest
 * and sends its disks, the destination starts it.
 */

interface Preparation extends Work {
  args: PrepResizeArgs | undefined;
}

/** Notes the move to this host and asks the source to begin, in one transaction. */
async function request({ seam, context, guest, args }: Preparation): Promise<void> {
  if (args === undefined) throw new Error('a move is asked for by its message');
  const { host } = guest;
  if (!host) throw computeFault('MigrationError', {}, { message: 'Instance has no source host' });
  if (host === seam.host && !seam.settings.allow_resize_to_same_host) {
    throw computeFault('MigrationError', {}, { message: 'destination same as source!' });
  }
  await seam.notify.exists(context, guest, 'current');
  await seam.notify.usage(context, guest, 'resize.prep.start');
  await seam.outbox.transaction(async (trx, send) => {
    const migration = await preparedMigration({ seam, context, guest }, trx, args.instance_type.id);
    const { image, reservations } = args;
    const instance = await instanceWireOf(seam, guest.uuid, trx);
    await computeContract
      .client(send)
      .resize_instance(context, { instance, migration_id: migration.id, image, reservations }, { host });
  });
}

/** The note of a move to this host; a message that comes twice finds the one that the first has made. */
async function preparedMigration(
  { seam, guest }: Pick<Work, 'seam' | 'context' | 'guest'>,
  sql: Sql,
  flavorId: number,
): Promise<MigrationRow> {
  const before = await migrationByInstance(sql, guest.uuid, 'pre-migrating').catch(error => {
    if (!isFault(error, 'MigrationNotFoundByStatus')) throw error;
    return undefined;
  });
  if (before?.dest_compute === seam.host && before.new_instance_type_id === flavorId) return before;
  return createMigration(
    sql,
    {
      instance_uuid: guest.uuid,
      source_compute: guest.host,
      dest_compute: seam.host,
      dest_host: seam.driver.hostAddress(),
      old_instance_type_id: guest.instance_type_id,
      new_instance_type_id: flavorId,
      status: 'pre-migrating',
    },
    nowOf(seam),
  );
}

/** The instance is its source's, which gives up a move of which nothing more is heard. */
const lostMove = async (work: Preparation) => (work.args === undefined ? moveFailed(work) : undefined);

/** On the destination. */
export const resizePrepare = operation<Preparation, PrepResizeArgs>({
  name: 'resize_prepare',
  methods: ['prep_resize'],
  asked: [taskState.resizePrep],
  carries: 'the flavor',
  errorState: true,
  steps: [{ name: 'request', task: taskState.resizePrep, restart: 'undo', run: request, undo: lostMove }],
  admits: (_seam, guest) => guest.task_state === taskState.resizePrep,
  begin: (work, args) => ({ ...work, args }),
  done: async ({ seam, context, guest, args }) =>
    seam.notify.usage(context, guest, 'resize.prep.end', {
      new_instance_type: args?.instance_type.name ?? '',
      new_instance_type_id: args?.instance_type.id ?? 0,
    }),
  failed: partFailed,
});

interface Sending extends Move {
  image: ImageWire | null;
  network: NetworkInfo;
  diskInfo: string;
}

const migrate: Step<Sending> = {
  name: 'migrate',
  task: taskState.resizeMigrating,
  restart: 'undo',
  run: async (work, { signal }) => {
    const { seam, context, guest } = work;
    const migration = moveOf(work);
    const flavor = await flavorById(seam.db.knex, migration.new_instance_type_id);
    work.network = await seam.network.instanceNetworkInfo(context, networked(guest));
    await updateMigration(seam.db.knex, migration.id, { status: 'migrating' }, nowOf(seam));
    await seam.notify.usage(context, guest, 'resize.start', {}, work.network);
    const volumes = await attachmentsOf(seam.db, guest.uuid);
    const { network } = work;
    const moving = { context, guest, network, volumes, signal };
    work.diskInfo = await seam.driver.migrateDiskAndPowerOff(moving, migration.dest_host ?? '', flavor);
    await disconnectVolumes(seam, context, guest);
  },
  // The guest runs again where it was, with the disks that it had; what has been sent goes.
  undo: async work => {
    const { seam, context, guest, network, signal, migration } = work;
    await moveFailed(work);
    const host = migration?.dest_compute ?? seam.host;
    if (host !== seam.host) {
      const instance = await instanceWireOf(seam, guest.uuid);
      await computeContract
        .client(seam.bus)
        .rollback_live_migration_at_destination(context, { instance }, { host });
    }
    const volumes = await connectVolumes(seam, context, guest);
    await seam.driver.finishRevertMigration({ context, guest, network, volumes, signal });
  },
};

/** From here on it is the destination's, which is told in the same moment. */
const handOver: Step<Sending> = {
  name: 'hand_over',
  restart: 'undo',
  commits: true,
  run: async work => {
    const { seam, context, guest, image, reservations, diskInfo } = work;
    const { uuid } = guest;
    const migration = moveOf(work);
    await seam.outbox.transaction(async (trx, send) => {
      await updateMigration(trx, migration.id, { status: 'post-migrating' }, nowOf(seam));
      const becomes = { host: migration.dest_compute, task_state: taskState.resizeMigrated };
      const mine = { expectedTaskState: taskState.resizeMigrating, host: seam.host };
      await updateInstance(trx, uuid, becomes, nowOf(seam), mine);
      const instance = await instanceWireOf(seam, uuid, trx);
      await computeContract.client(send).finish_resize(
        context,
        {
          instance,
          migration_id: migration.id,
          image: must(image, 'image is there'),
          disk_info: diskInfo,
          reservations,
        },
        { host: migration.dest_compute ?? seam.host },
      );
    });
    seam.resources.changed();
  },
};

/** On the source. */
export const resizeSend = operation<Sending, MigrationArgs & { image: ImageWire }>({
  name: 'resize_send',
  methods: ['resize_instance'],
  asked: [taskState.resizePrep],
  errorState: true,
  steps: [migrate, handOver],
  begin: async (work, message) => ({
    ...(await beginMove()(work, message)),
    image: message?.image ?? null,
    network: await work.seam.network.instanceNetworkInfo(work.context, networked(work.guest)),
    diskInfo: '',
  }),
  async done(work) {
    const { seam, context, guest: moving } = work;
    const moved = await again(work);
    await seam.notify.updated(context, moving, moved);
    await seam.notify.usage(context, moved, 'resize.end', {}, work.network);
  },
  failed: partFailed,
});

interface Arrival extends Move {
  image: ImageWire | null;
  diskInfo: string | undefined;
  network: NetworkInfo;
}

const adopt: Step<Arrival> = {
  name: 'adopt',
  task: taskState.resizeFinish,
  restart: 'error',
  run: async work => {
    const { seam, context } = work;
    const migration = moveOf(work);
    if (migration.old_instance_type_id !== migration.new_instance_type_id)
      await takeSize(work, migration.new_instance_type_id);
    await moveFloatingIps(seam.db, work.guest.uuid, seam.host, nowOf(seam));
    await seam.network.setupOnHost(context, networked(work.guest), migration.dest_compute);
    work.network = await seam.network.instanceNetworkInfo(context, networked(work.guest));
    await seam.notify.usage(context, work.guest, 'finish_resize.start', {}, work.network);
  },
  undo: moveFailed,
};

const start: Step<Arrival> = {
  name: 'start',
  restart: 'error',
  stalledMs: STALLED_MS,
  run: async (work, { signal }) => {
    const { seam, context, guest, network, image, diskInfo = '' } = work;
    const { old_instance_type_id: from, new_instance_type_id: to } = moveOf(work);
    const volumes = await connectVolumes(seam, context, guest);
    const arriving = { context, guest, network, volumes, signal };
    await seam.driver.finishMigration({ ...arriving, image, diskInfo, resize: from !== to });
  },
};

const record: Step<Arrival> = {
  name: 'record',
  restart: 'error',
  run: async work => {
    const { seam, reservations } = work;
    await updateMigration(seam.db.knex, moveOf(work).id, { status: 'finished' }, nowOf(seam));
    await commitReservations(seam.db, reservations, nowOf(seam));
    // Last: whoever sees it resized finds the move that can be confirmed or reverted.
    await hold(work, { vm_state: vmState.resized, launched_at: nowOf(seam), task_state: null });
  },
};

/** On the destination. */
export const resizeFinish = operation<
  Arrival,
  MigrationArgs & { image: ImageWire | null; disk_info: string }
>({
  name: 'resize_finish',
  methods: ['finish_resize'],
  asked: [taskState.resizeMigrated],
  carries: 'the disks',
  errorState: true,
  steps: [adopt, start, record],
  begin: async (work, message) => ({
    ...(await beginMove()(work, message)),
    image: message?.image ?? null,
    diskInfo: message?.disk_info,
    network: [],
  }),
  async done({ seam, context, guest, network }) {
    seam.resources.changed();
    await seam.notify.usage(context, guest, 'finish_resize.end', {}, network);
  },
  failed: partFailed,
});

/** On the source, when the user has confirmed: the old copy goes. The instance itself is not changed. */
export const resizeConfirm = operation<Move, MigrationArgs>({
  name: 'resize_confirm',
  methods: ['confirm_resize'],
  asked: [],
  errorState: true,
  steps: [
    {
      name: 'clear',
      restart: 'again',
      stalledMs: STALLED_MS,
      run: async work => {
        const { seam, context, guest, reservations } = work;
        const migration = moveOf(work);
        await seam.notify.usage(context, guest, 'resize.confirm.start');
        if (guest.host !== migration.source_compute) {
          await seam.network.setupOnHost(context, networked(guest), migration.source_compute, true);
        }
        const network = await seam.network.instanceNetworkInfo(context, networked(guest));
        await seam.driver.confirmMigration(guest, network);
        await seam.notify.usage(context, guest, 'resize.confirm.end', {}, network);
        await commitReservations(seam.db, reservations, nowOf(seam));
      },
    },
  ],
  admits: () => true,
  begin: beginMove(['confirmed']),
  failed: (seam, uuid, message, error) =>
    partFailed(seam, uuid, message && { reservations: message.reservations }, error),
});
