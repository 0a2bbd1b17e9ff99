import { elevated, type RequestContext } from '@folsom/core';
import { taskState } from '@folsom/nova/instance-state';
import { tryUpdateInstance } from '@folsom/nova/instances';
import type { SnapshotInstanceArgs } from '@folsom/nova/rpc/compute';
import { computeFault } from './faults.ts';
import { addFault, type ComputeSeam, change, guestOf, InstanceGoes, isPreempted, nowOf } from './seam.ts';

/** Backups read at a time and kept at most; more is a mistake in the request. */
const ROTATION_MAX = 10_000;

/**
 * Makes an image of an instance. Unlike other work this holds no turn: a guest whose disk is being copied can still
 * be deleted, which ends the copying.
 */
export async function snapshotInstance(
  seam: ComputeSeam,
  context: RequestContext,
  args: SnapshotInstanceArgs,
): Promise<void> {
  const admin = elevated(context);
  const uuid = args.instance.uuid;
  const task = args.image_type === 'backup' ? taskState.imageBackup : taskState.imageSnapshot;
  const controller = new AbortController();
  if (!seam.working.has(uuid)) seam.working.set(uuid, controller);
  try {
    const guest = await guestOf(seam, uuid);
    await seam.notify.usage(admin, guest, 'snapshot.start');
    await seam.observe?.('snapshot', 'copy', uuid);
    await seam.driver.snapshot(admin, guest, args.image_id, seam.images, controller.signal);
    const after = await change(seam, admin, guest, { task_state: null }, { expectedTaskState: task });
    if (args.image_type === 'backup') await rotate(seam, admin, uuid, args);
    else if (args.rotation) throw computeFault('ImageRotationNotAllowed');
    await seam.notify.usage(admin, after, 'snapshot.end');
  } catch (error) {
    await seam.images
      .delete(admin, args.image_id)
      .catch(failure =>
        seam.log.warn('cannot remove an unfinished image', { image: args.image_id, error: failure }),
      );
    if (!isPreempted(error) && !(error instanceof InstanceGoes)) await addFault(seam, uuid, error);
    await tryUpdateInstance(seam.db.knex, uuid, { task_state: null }, nowOf(seam), {
      expectedTaskState: task,
    });
    throw error;
  } finally {
    if (seam.working.get(uuid) === controller) seam.working.delete(uuid);
  }
}

/** Deletes the oldest backups of an instance beyond the number to keep. */
async function rotate(
  seam: ComputeSeam,
  context: RequestContext,
  uuid: string,
  args: SnapshotInstanceArgs,
): Promise<void> {
  const keep = args.rotation;
  if (keep === null || keep < 0 || keep > ROTATION_MAX) throw computeFault('RotationRequiredForBackup');
  const backups = await seam.images.findByProperties(context, {
    image_type: 'backup',
    backup_type: args.backup_type ?? '',
    instance_uuid: uuid,
  });
  for (const image of backups.slice(keep)) await seam.images.delete(context, image.id);
}
