import type { RequestContext } from '@folsom/core';
import { moveFloatingIps } from '@folsom/nova/floating-ips';
import { taskState, vmState } from '@folsom/nova/instance-state';
import { updateMigration } from '@folsom/nova/migrations';
import { commitReservations } from '@folsom/nova/reservations';
import { computeContract, type MigrationArgs } from '@folsom/nova/rpc/compute';
import type { Guest } from '../driver.ts';
import { type ComputeSeam, NotOurs, networked, nowOf } from '../seam.ts';
import { attachmentsOf, connectVolumes, disconnectVolumes } from '../volumes.ts';
import { hold, operation, perform, recoverOperation, STALLED_MS } from './operation.ts';
import {
  beginMove,
  instanceWireOf,
  type Move,
  migrationIn,
  moveOf,
  partFailed,
  takeSize,
} from './resize-shared.ts';

/** A resize that is taken back: the destination clears its copy, the source starts the guest as it was. */

/** Of moves, one that is taken back is called so from the moment that was asked for. */
const ASKED = ['reverted'];

/** Which half goes on: in place, and where the new copy may be gone already, both are this host's to do again. */
async function againHere(seam: ComputeSeam, context: RequestContext, guest: Guest): Promise<void> {
  const migration = await migrationIn(seam, guest.uuid, ASKED);
  if (migration === undefined) return recoverOperation(seam, unknownRevert, context, guest);
  const half = migration.source_compute === seam.host ? resizeRestore : resizeRevert;
  const instance = await instanceWireOf(seam, guest.uuid);
  await perform(seam, half, context, guest.uuid, {
    instance,
    migration_id: migration.id,
    reservations: null,
  });
}

/** On the destination. */
export const resizeRevert = operation<Move, MigrationArgs>({
  name: 'resize_revert',
  methods: ['revert_resize'],
  asked: [taskState.resizeReverting],
  errorState: true,
  steps: [
    {
      name: 'clear',
      // Told once more, it would destroy the guest that is back.
      task: taskState.resizeReverting,
      restart: 'again',
      stalledMs: STALLED_MS,
      run: async work => {
        const { seam, context, guest } = work;
        if (moveOf(work).source_compute !== seam.host) {
          await seam.network.setupOnHost(context, networked(guest), seam.host, true);
        }
        const network = await seam.network.instanceNetworkInfo(context, networked(guest));
        // In place, the old disks lie beside the new ones and are put back by the second half.
        await seam.driver.destroy(guest, network, await attachmentsOf(seam.db, guest.uuid));
        await disconnectVolumes(seam, context, guest);
      },
    },
    {
      name: 'hand_back',
      restart: 'again',
      run: async work => {
        const { seam, context, guest, reservations } = work;
        const { id, source_compute } = moveOf(work);
        const instance = await instanceWireOf(seam, guest.uuid);
        await computeContract
          .client(seam.bus)
          .finish_revert_resize(
            context,
            { instance, migration_id: id, reservations },
            { host: source_compute ?? seam.host },
          );
      },
    },
  ],
  begin: beginMove(ASKED),
  failed: partFailed,
  again: againHere,
});

/** No move that could be taken back: nothing sensible is left of it. */
const unknownRevert = operation<Move, MigrationArgs>({
  name: 'resize_revert',
  methods: [],
  asked: [taskState.resizeReverting],
  errorState: true,
  steps: [{ name: 'find', restart: 'error', run: async () => {} }],
  begin: beginMove(ASKED),
});

/** On the source. */
export const resizeRestore = operation<Move, MigrationArgs>({
  name: 'resize_restore',
  methods: ['finish_revert_resize'],
  asked: [taskState.resizeReverting],
  errorState: true,
  steps: [
    {
      name: 'take_back',
      restart: 'again',
      run: async work => {
        const { seam, context, guest } = work;
        const migration = moveOf(work);
        if (migration.source_compute !== seam.host)
          throw new NotOurs('the instance goes back to another host');
        await seam.network.instanceNetworkInfo(context, networked(guest, seam.host));
        await seam.notify.usage(context, guest, 'resize.revert.start');
        // A deletion asked for meanwhile goes on where the instance was.
        await hold(work, { host: migration.source_compute });
        await takeSize(work, migration.old_instance_type_id);
        await moveFloatingIps(seam.db, guest.uuid, seam.host, nowOf(seam));
        await seam.network.setupOnHost(context, networked(work.guest), migration.source_compute);
      },
    },
    {
      name: 'start',
      restart: 'again',
      stalledMs: STALLED_MS,
      run: async ({ seam, context, guest }, { signal }) => {
        const volumes = await connectVolumes(seam, context, guest);
        const network = await seam.network.instanceNetworkInfo(context, networked(guest));
        await seam.driver.finishRevertMigration({ context, guest, network, volumes, signal });
      },
    },
    {
      name: 'record',
      restart: 'again',
      run: async work => {
        const { seam, reservations } = work;
        await updateMigration(seam.db.knex, moveOf(work).id, { status: 'reverted' }, nowOf(seam));
        await commitReservations(seam.db, reservations, nowOf(seam));
        // Last: once the task is gone nobody comes back to the rest.
        await hold(work, { vm_state: vmState.active, launched_at: nowOf(seam), task_state: null });
      },
    },
  ],
  admits: (_seam, guest) => guest.task_state === taskState.resizeReverting,
  begin: beginMove(ASKED),
  async done({ seam, context, guest }) {
    seam.resources.changed();
    await seam.notify.usage(context, guest, 'resize.revert.end');
  },
  failed: partFailed,
});
