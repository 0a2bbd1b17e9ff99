import { isFault } from '@folsom/core';
import { flavorById } from '@folsom/nova/flavors';
import { instanceRecord, instanceWire } from '@folsom/nova/instance-records';
import { taskState, vmState } from '@folsom/nova/instance-state';
import {
  type MigrationRow,
  migrationById,
  migrationByInstance,
  updateMigration,
} from '@folsom/nova/migrations';
import { rollbackReservations } from '@folsom/nova/reservations';
import type { Sql } from '@folsom/nova/rows';
import type { MigrationArgs } from '@folsom/nova/rpc/compute';
import { type ComputeSeam, nowOf, presentGuest } from '../seam.ts';
import { hold, type Work } from './operation.ts';

/** One part of a resize: what its message names, or the rows where a restart takes it up. */
export interface Move extends Work {
  /** Undefined when a restart finds none under way. */
  migration: MigrationRow | undefined;
  reservations: string[] | null;
}

/** The instance as it is now, for a message. */
export const instanceWireOf = async (seam: ComputeSeam, uuid: string, sql: Sql = seam.db.knex) =>
  instanceWire(await instanceRecord(sql, uuid), seam.settings.instance_name_template);

/** Statuses of a move that has not come to its end. */
export const UNDER_WAY = ['pre-migrating', 'migrating', 'post-migrating'];

/** As long as one of these is its task, a message of the resize is under way or has been there before. */
const RESIZING: readonly (string | null)[] = [
  taskState.resizePrep,
  taskState.resizeMigrating,
  taskState.resizeMigrated,
  taskState.resizeFinish,
  taskState.resizeReverting,
];

/** The instance's move in one of these statuses; a database that is away is an error, and not the answer that there is none. */
export async function migrationIn(
  seam: ComputeSeam,
  uuid: string,
  statuses: readonly string[],
): Promise<MigrationRow | undefined> {
  for (const status of statuses) {
    const found = await migrationByInstance(seam.db.knex, uuid, status).catch(error => {
      if (!isFault(error, 'MigrationNotFoundByStatus')) throw error;
      return undefined;
    });
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The state of a part, from its message, or from the move that is found in one of `statuses`. */
export const beginMove =
  (statuses: readonly string[] = UNDER_WAY) =>
  async (work: Work, message: MigrationArgs | undefined): Promise<Move> => ({
    ...work,
    migration:
      message === undefined
        ? await migrationIn(work.seam, work.guest.uuid, statuses)
        : await migrationById(work.seam.db.knex, message.migration_id),
    reservations: message?.reservations ?? null,
  });

/** The move that a part is about. */
export function moveOf({ migration, guest }: Move): MigrationRow {
  if (migration === undefined) throw new Error(`no move of ${guest.uuid} is under way`);
  return migration;
}

/** Whether the part failed only because it has been done: its message came twice. */
async function cameTwice(seam: ComputeSeam, uuid: string, error: unknown): Promise<boolean> {
  if (!isFault(error, 'UnexpectedTaskStateError')) return false;
  const now = await presentGuest(seam, uuid);
  return now !== undefined && (RESIZING.includes(now.task_state) || now.vm_state === vmState.resized);
}

/** A part that failed gives the promised quota back, and its move has failed. */
export async function partFailed(
  seam: ComputeSeam,
  uuid: string,
  message: { reservations: string[] | null; migration_id?: number } | undefined,
  error: unknown,
): Promise<void> {
  const migrationId = message?.migration_id;
  const failed = (from?: string) =>
    migrationId === undefined
      ? undefined
      : updateMigration(seam.db.knex, migrationId, { status: 'error' }, nowOf(seam), from);
  // Then the quota and the migration are the other one's; one whose move was never begun has noted it for nothing.
  if (await cameTwice(seam, uuid, error)) return void (await failed('pre-migrating'));
  await rollbackReservations(seam.db, message?.reservations ?? null, nowOf(seam));
  // What came too late does not undo a move that has ended.
  const late = isFault(error, 'UnexpectedTaskStateError');
  for (const from of late ? UNDER_WAY : [undefined]) await failed(from);
}

/** A restart has given the move up. */
export async function moveFailed({ seam, guest }: Work): Promise<void> {
  const migration = await migrationIn(seam, guest.uuid, UNDER_WAY);
  if (migration !== undefined)
    await updateMigration(seam.db.knex, migration.id, { status: 'error' }, nowOf(seam), migration.status);
}

/** Gives an instance the sizes of a flavor. */
export async function takeSize(work: Work, flavorId: number): Promise<void> {
  const flavor = await flavorById(work.seam.db.knex, flavorId);
  await hold(work, {
    instance_type_id: flavor.id,
    memory_mb: flavor.memory_mb,
    vcpus: flavor.vcpus,
    root_gb: flavor.root_gb,
    ephemeral_gb: flavor.ephemeral_gb,
  });
}
