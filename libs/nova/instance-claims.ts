import { assert } from '@folsom/core';
import { isDuplicate, type Knex, prepared } from '@folsom/db';
import { taskState, vmState } from './instance-state.ts';
import { tryUpdateInstance } from './instances.ts';
import type { Sql } from './rows.ts';

/**
 * Who has an instance that is being built. Each change is one UPDATE with the owner in its WHERE: of two who get the
 * same message one changes the row, and the other knows that it is not his.
 */

/** task_states of a build that a host has; null between its claim and its network. */
export const BUILDING: readonly (string | null)[] = [
  null,
  taskState.networking,
  taskState.blockDeviceMapping,
  taskState.spawning,
];

/** Takes an instance that waits for a host. False: it is another's, or wanted no more. */
export const claimForHost = (sql: Sql, uuid: string, host: string, now: number): Promise<boolean> => {
  assert(host !== '', 'a claim names its host');
  return tryUpdateInstance(sql, uuid, { host, launched_on: host, task_state: null }, now, {
    host: null,
    expectedTaskState: taskState.scheduling,
    expectedVmState: vmState.building,
  });
};

/** Gives up an instance that this host was building, with what it becomes instead. False: it is not ours any more. */
export const releaseIfMine = (
  sql: Sql,
  uuid: string,
  host: string,
  becomes: { vm_state?: string; task_state: string | null },
  now: number,
): Promise<boolean> =>
  tryUpdateInstance(sql, uuid, { host: null, ...becomes }, now, {
    host,
    expectedTaskState: [...BUILDING],
    expectedVmState: vmState.building,
  });

const insertPlacement = prepared((sql, row: Record<string, string | number>) =>
  sql('folsom_placements').insert(row),
);

/**
 * Notes where a scheduler puts an instance in this attempt, in the transaction that tells the host. False: another
 * scheduler, or this one before it was cut short, has decided already.
 */
export async function placeInstance(
  trx: Knex.Transaction,
  placement: { uuid: string; attempt: number; host: string },
  now: number,
): Promise<boolean> {
  const { uuid, attempt, host } = placement;
  const waits = await tryUpdateInstance(trx, uuid, { host: null, scheduled_at: now }, now, {
    expectedTaskState: taskState.scheduling,
  });
  if (!waits) return false;
  try {
    await insertPlacement(trx, { instance_uuid: uuid, attempt, host, created_at: now });
    return true;
  } catch (error) {
    if (isDuplicate(error)) return false;
    throw error;
  }
}
