import { Readable } from 'node:stream';
import { assert } from '@folsom/core';
import type { ImageClient } from '@folsom/nova/image-transfer';
import { taskState, vmState } from '@folsom/nova/instance-state';
import { passing } from '@folsom/nova/passing';
import type { SnapshotInstanceArgs } from '@folsom/nova/rpc/compute';
import { computeFault } from '../faults.ts';
import type { StepPart } from '../steps.ts';
import { hold, operation, type Work } from './operation.ts';

/** Backups read at a time and kept at most; more is a mistake in the request. */
const ROTATION_MAX = 10_000;

interface Snapshot extends Work {
  /** Undefined when a restart takes it up without its message. */
  args: SnapshotInstanceArgs | undefined;
}

/** Reading a disk has its own limit and shows nothing meanwhile; sending it is seen byte by byte. */
const COPY_STALLED_MS = 3_600_000;

async function* watched(data: Readable, progress: () => void): AsyncGenerator<Buffer> {
  for await (const chunk of data) {
    progress();
    yield chunk as Buffer;
  }
}

/** Fills the image; not again when that was done before the database went away. */
async function copy({ seam, context, guest, args }: Snapshot, part: StepPart): Promise<void> {
  assert(args !== undefined, 'a snapshot is begun by its message');
  await seam.notify.usage(context, guest, 'snapshot.start');
  const image = await seam.images.show(context, args.image_id);
  if (image.status === 'active') return;
  const images: ImageClient = {
    ...seam.images,
    upload: (of, id, facts, data, signal) =>
      seam.images.upload(of, id, facts, Readable.from(watched(data, part.progress)), signal),
  };
  await seam.driver.snapshot(context, guest, args.image_id, images, part.signal);
}

/** Half-made images would stay for ever in `saving`, and the guest may have been stopped for the copy. */
async function dropCopy({ seam, context, guest, args }: Snapshot): Promise<void> {
  const { uuid } = guest;
  if (guest.vm_state === vmState.active) {
    await seam.driver
      .unpause(guest)
      .catch(error => seam.log.warn('cannot let a guest go on after its copy', { instance: uuid, error }));
  }
  const unfinished =
    args === undefined
      ? await seam.images.findByProperties(context, { instance_uuid: uuid })
      : [{ id: args.image_id, status: 'queued' }];
  for (const { id, status } of unfinished) {
    if (status === 'active' || status === 'deleted') continue;
    await seam.images
      .delete(context, id)
      .catch(error => seam.log.warn('cannot remove an unfinished image', { image: id, error }));
  }
}

/** Deletes the oldest backups of an instance beyond the number to keep. */
async function rotate({ seam, context, guest, args }: Snapshot): Promise<void> {
  if (args === undefined) return;
  const keep = args.rotation;
  if (args.image_type !== 'backup') {
    if (keep) throw computeFault('ImageRotationNotAllowed');
    return;
  }
  if (keep === null || keep < 0 || keep > ROTATION_MAX) throw computeFault('RotationRequiredForBackup');
  const backups = await seam.images.findByProperties(context, {
    image_type: 'backup',
    backup_type: args.backup_type ?? '',
    instance_uuid: guest.uuid,
  });
  for (const image of backups.slice(keep)) await seam.images.delete(context, image.id);
}

const taskOf = (args: SnapshotInstanceArgs): string =>
  args.image_type === 'backup' ? taskState.imageBackup : taskState.imageSnapshot;

/**
 * Makes an image of an instance. Unlike other work this holds no turn: a guest whose disk is being copied can still
 * be deleted, which ends the copying.
 */
export const snapshot = operation<Snapshot, SnapshotInstanceArgs>({
  name: 'snapshot',
  methods: ['snapshot_instance'],
  asked: [taskState.imageSnapshot, taskState.imageBackup],
  carries: 'the image',
  errorState: false,
  aside: true,
  steps: [
    {
      name: 'copy',
      restart: 'undo',
      stalledMs: COPY_STALLED_MS,
      commits: true,
      run: copy,
      undo: dropCopy,
    },
    { name: 'rotate', restart: 'undo', run: rotate },
    { name: 'record', restart: 'undo', run: work => hold(work, { task_state: null }) },
  ],
  // A message that comes once more must neither copy beside the first nor remove what that has made.
  admits: (seam, guest, args) =>
    guest.host === seam.host && args !== undefined && guest.task_state === taskOf(args),
  begin: (work, args) => ({ ...work, args }),
  done: ({ seam, context, guest }) => seam.notify.usage(context, guest, 'snapshot.end'),
  // The image service being away is a real failure: a copy that was begun cannot be sent again.
  passes: error => passing(error) === 'outage',
});
