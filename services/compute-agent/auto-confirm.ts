import { adminContext } from '@folsom/core';
import { vmState } from '@folsom/nova/instance-state';
import { tryUpdateInstance } from '@folsom/nova/instances';
import { unconfirmedMigrations, updateMigration } from '@folsom/nova/migrations';
import { computeContract } from '@folsom/nova/rpc/compute';
import { instanceWireOf } from './operations/resize-shared.ts';
import { type ComputeSeam, nowOf } from './seam.ts';

/** Resizes to this host that their user has not decided about within `resize_confirm_window` are confirmed. */
export async function confirmOldResizes(seam: ComputeSeam): Promise<void> {
  const window = seam.settings.resize_confirm_window;
  if (window <= 0) return;
  const before = nowOf(seam) - window * 1000;
  for (const migration of await unconfirmedMigrations(seam.db.knex, seam.host, before)) {
    const uuid = migration.instance_uuid;
    const ours = await tryUpdateInstance(
      seam.db.knex,
      uuid,
      { vm_state: vmState.active, task_state: null },
      nowOf(seam),
      { host: seam.host, expectedVmState: vmState.resized, expectedTaskState: null },
    );
    if (!ours) {
      seam.log.warn('a resize is neither confirmed nor wanted any more', { instance: uuid });
      await updateMigration(seam.db.knex, migration.id, { status: 'error' }, nowOf(seam), 'finished');
      continue;
    }
    seam.log.info('confirming a resize', { instance: uuid });
    await updateMigration(seam.db.knex, migration.id, { status: 'confirmed' }, nowOf(seam), 'finished');
    await computeContract
      .client(seam.bus)
      .confirm_resize(
        adminContext(),
        { instance: await instanceWireOf(seam, uuid), migration_id: migration.id, reservations: null },
        { host: migration.source_compute ?? seam.host },
      );
  }
}
