import { isFault, type RequestContext } from '@folsom/core';
import { flavorById } from '@folsom/nova/flavors';
import { moveFloatingIps } from '@folsom/nova/floating-ips';
import { instanceRecord, instanceWire } from '@folsom/nova/instance-records';
import { taskState, vmState } from '@folsom/nova/instance-state';
import { updateInstance } from '@folsom/nova/instances';
import {
  createMigration,
  type MigrationRow,
  migrationById,
  migrationByInstance,
  updateMigration,
} from '@folsom/nova/migrations';
import { passing } from '@folsom/nova/passing';
import { commitReservations, rollbackReservations } from '@folsom/nova/reservations';
import type { Sql } from '@folsom/nova/rows';
import { computeContract, type MigrationArgs, type PrepResizeArgs } from '@folsom/nova/rpc/compute';
import type { ImageWire } from '@folsom/nova/rpc/wire';
import type { Guest } from '../driver.ts';
import { computeFault } from '../faults.ts';
import {
  type ComputeSeam,
  change,
  guestOf,
  networked,
  nowOf,
  type Operation,
  onInstance,
  presentGuest,
} from '../seam.ts';
import { attachmentsOf } from '../volumes.ts';

/** The instance as it is now, for a message. */
export const instanceWireOf = async (seam: ComputeSeam, uuid: string, sql: Sql = seam.db.knex) =>
  instanceWire(await instanceRecord(sql, uuid), seam.settings.instance_name_template);

/** As long as one of these is its task, a message of the resize is under way or has been there before. */
const RESIZING: readonly (string | null)[] = [
  taskState.resizePrep,
  taskState.resizeMigrating,
  taskState.resizeMigrated,
  taskState.resizeFinish,
  taskState.resizeReverting,
];

const UNDER_WAY = ['pre-migrating', 'migrating', 'post-migrating'];

/** Whether the part failed only because it has been done: its message came twice. */
async function cameTwice(seam: ComputeSeam, uuid: string, error: unknown): Promise<boolean> {
  if (!isFault(error, 'UnexpectedTaskStateError')) return false;
  const now = await presentGuest(seam, uuid);
  return now !== undefined && (RESIZING.includes(now.task_state) || now.vm_state === vmState.resized);
}

/** Runs one part of a resize; a failure gives the promised quota back and leaves the instance in ERROR. */
async function part(
  seam: ComputeSeam,
  context: RequestContext,
  uuid: string,
  reservations: string[] | null,
  migrationId: number | null,
  work: (operation: Operation) => Promise<void>,
): Promise<void> {
  try {
    await onInstance(seam, context, uuid, work, { errorState: true });
  } catch (error) {
    if (passing(error) !== undefined) throw error;
    // Then the quota and the migration are the other one's.
    if (await cameTwice(seam, uuid, error)) {
      // Two hosts may have been asked: the one whose move was never begun has noted one for nothing.
      if (migrationId !== null)
        await updateMigration(seam.db.knex, migrationId, { status: 'error' }, nowOf(seam), 'pre-migrating');
      throw error;
    }
    await rollbackReservations(seam.db, reservations, nowOf(seam));
    if (migrationId !== null) {
      // What came too late does not undo a move that has ended.
      const late = isFault(error, 'UnexpectedTaskStateError');
      for (const from of late ? UNDER_WAY : [undefined])
        await updateMigration(seam.db.knex, migrationId, { status: 'error' }, nowOf(seam), from);
    }
    throw error;
  }
}

/** On the destination: notes the migration and asks the source to begin. */
export async function prepResize(
  seam: ComputeSeam,
  context: RequestContext,
  args: PrepResizeArgs,
): Promise<void> {
  const uuid = args.instance.uuid;
  await part(seam, context, uuid, args.reservations, null, async ({ guest, context: admin }) => {
    // A message that comes late finds another task, or none.
    await change(seam, admin, guest, {}, { expectedTaskState: taskState.resizePrep });
    await seam.notify.usage(admin, guest, 'resize.prep.start');
    if (!guest.host) {
      throw computeFault('MigrationError', {}, { message: 'Instance has no source host' });
    }
    if (guest.host === seam.host && !seam.settings.allow_resize_to_same_host) {
      throw computeFault('MigrationError', {}, { message: 'destination same as source!' });
    }
    const { host } = guest;
    await seam.outbox.transaction(async (trx, send) => {
      const migration = await preparedMigration(seam, trx, guest, args.instance_type.id);
      await computeContract.client(send).resize_instance(
        admin,
        {
          instance: await instanceWireOf(seam, uuid, trx),
          migration_id: migration.id,
          image: args.image,
          reservations: args.reservations,
        },
        { host },
      );
    });
    await seam.notify.usage(admin, guest, 'resize.prep.end', {
      new_instance_type: args.instance_type.name,
      new_instance_type_id: args.instance_type.id,
    });
  });
}

/** The note of a move to this host; a message that comes twice finds the one that the first has made. */
async function preparedMigration(
  seam: ComputeSeam,
  sql: Sql,
  guest: Guest,
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

/** On the source: stops the guest and brings its disk to the destination. */
export async function resizeInstance(
  seam: ComputeSeam,
  context: RequestContext,
  args: MigrationArgs & { image: ImageWire },
): Promise<void> {
  const uuid = args.instance.uuid;
  await part(
    seam,
    context,
    uuid,
    args.reservations,
    args.migration_id,
    async ({ guest, context: admin, signal }) => {
      const migration = await migrationById(seam.db.knex, args.migration_id);
      const flavor = await flavorById(seam.db.knex, migration.new_instance_type_id);
      const network = await seam.network.instanceNetworkInfo(admin, networked(guest));
      const moving = await change(
        seam,
        admin,
        guest,
        { task_state: taskState.resizeMigrating },
        { expectedTaskState: taskState.resizePrep, host: seam.host },
      );
      await updateMigration(seam.db.knex, migration.id, { status: 'migrating' }, nowOf(seam));
      await seam.notify.usage(admin, moving, 'resize.start', {}, network);
      await seam.observe?.('resize', 'migrate', uuid);
      const volumes = await attachmentsOf(seam.db, uuid);
      const diskInfo = await seam.driver.migrateDiskAndPowerOff(
        { context: admin, guest: moving, network, volumes, signal },
        migration.dest_host ?? '',
        flavor,
      );
      // From here on it is the destination's, which is told in the same moment.
      await seam.outbox.transaction(async (trx, send) => {
        await updateMigration(trx, migration.id, { status: 'post-migrating' }, nowOf(seam));
        await updateInstance(
          trx,
          uuid,
          { host: migration.dest_compute, task_state: taskState.resizeMigrated },
          nowOf(seam),
          { expectedTaskState: taskState.resizeMigrating, host: seam.host },
        );
        await computeContract.client(send).finish_resize(
          admin,
          {
            instance: await instanceWireOf(seam, uuid, trx),
            migration_id: migration.id,
            image: args.image,
            disk_info: diskInfo,
            reservations: args.reservations,
          },
          { host: migration.dest_compute ?? seam.host },
        );
      });
      seam.resources.changed();
      await seam.observe?.('resize', 'hand_over', uuid);
      const moved = await guestOf(seam, uuid, { readDeleted: 'yes' });
      await seam.notify.updated(admin, moving, moved);
      await seam.notify.usage(admin, moved, 'resize.end', {}, network);
    },
  );
}

/** On the destination: starts the guest with its new size. */
export async function finishResize(
  seam: ComputeSeam,
  context: RequestContext,
  args: MigrationArgs & { image: ImageWire | null; disk_info: string },
): Promise<void> {
  const uuid = args.instance.uuid;
  await part(
    seam,
    context,
    uuid,
    args.reservations,
    args.migration_id,
    async ({ guest, context: admin, signal }) => {
      const migration = await migrationById(seam.db.knex, args.migration_id);
      const resize = migration.old_instance_type_id !== migration.new_instance_type_id;
      let current = await change(
        seam,
        admin,
        guest,
        { task_state: taskState.resizeFinish },
        // Cut short before, it goes on when its message comes again.
        { expectedTaskState: [taskState.resizeMigrated, taskState.resizeFinish], host: seam.host },
      );
      if (resize) current = await takeSize(seam, admin, guest.uuid, migration.new_instance_type_id);
      await moveFloatingIps(seam.db, uuid, seam.host, nowOf(seam));
      await seam.network.setupOnHost(admin, networked(current), migration.dest_compute);
      const network = await seam.network.instanceNetworkInfo(admin, networked(current));
      await seam.notify.usage(admin, current, 'finish_resize.start', {}, network);
      await seam.observe?.('resize', 'finish', uuid);
      const volumes = await attachmentsOf(seam.db, uuid);
      await seam.driver.finishMigration({
        context: admin,
        guest: current,
        network,
        volumes,
        signal,
        image: args.image,
        diskInfo: args.disk_info,
        resize,
      });
      current = await change(
        seam,
        admin,
        current,
        { vm_state: vmState.resized, launched_at: nowOf(seam), task_state: null },
        { expectedTaskState: taskState.resizeFinish, host: seam.host },
      );
      await updateMigration(seam.db.knex, migration.id, { status: 'finished' }, nowOf(seam));
      await commitReservations(seam.db, args.reservations, nowOf(seam));
      seam.resources.changed();
      await seam.notify.usage(admin, current, 'finish_resize.end', {}, network);
    },
  );
}

/** Gives an instance the sizes of a flavor. */
async function takeSize(seam: ComputeSeam, context: RequestContext, uuid: string, flavorId: number) {
  const flavor = await flavorById(seam.db.knex, flavorId);
  return change(seam, context, await guestOf(seam, uuid), {
    instance_type_id: flavor.id,
    memory_mb: flavor.memory_mb,
    vcpus: flavor.vcpus,
    root_gb: flavor.root_gb,
    ephemeral_gb: flavor.ephemeral_gb,
  });
}

/** On the source: the old copy goes. */
export async function confirmResize(
  seam: ComputeSeam,
  context: RequestContext,
  args: MigrationArgs,
): Promise<null> {
  const uuid = args.instance.uuid;
  await part(seam, context, uuid, args.reservations, null, async ({ guest, context: admin }) => {
    const migration = await migrationById(seam.db.knex, args.migration_id);
    await seam.notify.usage(admin, guest, 'resize.confirm.start');
    if (guest.host !== migration.source_compute) {
      await seam.network.setupOnHost(admin, networked(guest), migration.source_compute, true);
    }
    const network = await seam.network.instanceNetworkInfo(admin, networked(guest));
    await seam.observe?.('resize', 'confirm', uuid);
    await seam.driver.confirmMigration(guest, network);
    await seam.notify.usage(admin, guest, 'resize.confirm.end', {}, network);
    await commitReservations(seam.db, args.reservations, nowOf(seam));
  });
  return null;
}

/** On the destination: the new copy goes, the source takes over. */
export async function revertResize(
  seam: ComputeSeam,
  context: RequestContext,
  args: MigrationArgs,
): Promise<void> {
  const uuid = args.instance.uuid;
  await part(seam, context, uuid, args.reservations, args.migration_id, async ({ guest, context: admin }) => {
    // Told once more, it would destroy the guest that is back.
    await change(seam, admin, guest, {}, { expectedTaskState: taskState.resizeReverting });
    const migration = await migrationById(seam.db.knex, args.migration_id);
    if (migration.source_compute !== seam.host) {
      await seam.network.setupOnHost(admin, networked(guest), seam.host, true);
    }
    const network = await seam.network.instanceNetworkInfo(admin, networked(guest));
    await seam.observe?.('resize', 'revert', uuid);
    // In place, the old disks lie beside the new ones and are put back by the second half.
    await seam.driver.destroy(guest, network, await attachmentsOf(seam.db, uuid));
    await computeContract.client(seam.bus).finish_revert_resize(
      admin,
      {
        instance: await instanceWireOf(seam, uuid),
        migration_id: migration.id,
        reservations: args.reservations,
      },
      { host: migration.source_compute ?? seam.host },
    );
  });
}

/** On the source again: the guest as it was. */
export async function finishRevertResize(
  seam: ComputeSeam,
  context: RequestContext,
  args: MigrationArgs,
): Promise<void> {
  const uuid = args.instance.uuid;
  await part(
    seam,
    context,
    uuid,
    args.reservations,
    args.migration_id,
    async ({ guest, context: admin, signal }) => {
      const migration = await migrationById(seam.db.knex, args.migration_id);
      const network = await seam.network.instanceNetworkInfo(admin, networked(guest, seam.host));
      await seam.notify.usage(admin, guest, 'resize.revert.start');
      // A deletion asked for meanwhile goes on where the instance was.
      await change(
        seam,
        admin,
        guest,
        { host: migration.source_compute },
        { expectedTaskState: taskState.resizeReverting },
      );
      let current = await takeSize(seam, admin, uuid, migration.old_instance_type_id);
      await moveFloatingIps(seam.db, uuid, seam.host, nowOf(seam));
      await seam.network.setupOnHost(admin, networked(current), migration.source_compute);
      const volumes = await attachmentsOf(seam.db, uuid);
      await seam.driver.finishRevertMigration({ context: admin, guest: current, network, volumes, signal });
      current = await change(
        seam,
        admin,
        current,
        { vm_state: vmState.active, launched_at: nowOf(seam), task_state: null },
        { expectedTaskState: taskState.resizeReverting },
      );
      await updateMigration(seam.db.knex, migration.id, { status: 'reverted' }, nowOf(seam));
      await commitReservations(seam.db, args.reservations, nowOf(seam));
      seam.resources.changed();
      await seam.notify.usage(admin, current, 'resize.revert.end');
    },
  );
}
