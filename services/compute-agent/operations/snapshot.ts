import { elevated, type RequestContext } from '@folsom/core';
import { taskState } from '@folsom/nova/instance-state';
import { tryUpdateInstance } from '@folsom/nova/instances';
import { passing } from '@folsom/nova/passing';
import type { SnapshotInstanceArgs } from '@folsom/nova/rpc/compute';
import type { Guest } from '../driver.ts';
import { computeFault } from '../faults.ts';
import {
  addFault,
  type ComputeSeam,
  change,
  guestOf,
  InstanceGoes,
  isPreempted,
  NotOurs,
  nowOf,
} from '../seam.ts';

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
  // A message that comes once more must neither copy beside the first nor remove what that has made.
  const guest = await guestOf(seam, uuid);
  if (guest.host !== seam.host || guest.task_state !== task || seam.working.has(uuid))
    throw new NotOurs('nobody waits for this snapshot');
  const controller = new AbortController();
  seam.working.set(uuid, controller);
  seam.awaited.delete(uuid);
  try {
    await seam.notify.usage(admin, guest, 'snapshot.start');
    await seam.observe?.('snapshot', 'copy', uuid);
    await copyOnce(seam, admin, guest, args.image_id, controller.signal);
    const after = await change(
      seam,
      admin,
      guest,
      { task_state: null },
      { expectedTaskState: task, host: seam.host },
    );
    if (args.image_type === 'backup') await rotate(seam, admin, uuid, args);
    else if (args.rotation) throw computeFault('ImageRotationNotAllowed');
    await seam.notify.usage(admin, after, 'snapshot.end');
  } catch (error) {
    // The image service being away is a real failure: a copy that was begun cannot be sent again.
    if (passing(error) === 'outage') {
      seam.awaited.add(uuid);
      throw error;
    }
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

/** Fills the image; not again when that was done before the database went away. */
async function copyOnce(
  seam: ComputeSeam,
  context: RequestContext,
  guest: Guest,
  imageId: string,
  signal: AbortSignal,
): Promise<void> {
  const image = await seam.images.show(context, imageId);
  if (image.status !== 'active') await seam.driver.snapshot(context, guest, imageId, seam.images, signal);
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
