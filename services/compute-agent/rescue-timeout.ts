import { adminContext } from '@folsom/core';
import { toSqlTime } from '@folsom/db';
import { taskState, vmState } from '@folsom/nova/instance-state';
import { tryUpdateInstance } from '@folsom/nova/instances';
import { computeContract } from '@folsom/nova/rpc/compute';
import { instanceWireOf } from './operations/resize-shared.ts';
import { type ComputeSeam, nowOf } from './seam.ts';

/** Guests that have been rescued for longer than `rescue_timeout` are booted from their own disks again. */
export async function endOldRescues(seam: ComputeSeam): Promise<void> {
  const { settings, host, db } = seam;
  if (settings.rescue_timeout <= 0) return;
  const before = toSqlTime(nowOf(seam) - settings.rescue_timeout * 1000);
  const old = (await db
    .knex('instances')
    .where({ host, deleted: 0, vm_state: vmState.rescued })
    .whereNull('task_state')
    .where('updated_at', '<', before)
    .select('uuid')) as { uuid: string }[];
  for (const { uuid } of old) {
    await seam.outbox.transaction(async (trx, send) => {
      const ours = await tryUpdateInstance(trx, uuid, { task_state: taskState.unrescuing }, nowOf(seam), {
        host,
        expectedVmState: vmState.rescued,
        expectedTaskState: null,
      });
      if (!ours) return;
      seam.log.info('a rescue has lasted long enough', { instance: uuid });
      const instance = await instanceWireOf(seam, uuid, trx);
      await computeContract.client(send).unrescue_instance(adminContext(), { instance }, { host });
    });
  }
}
