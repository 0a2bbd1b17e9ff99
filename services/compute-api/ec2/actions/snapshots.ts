import { must } from '@folsom/core';
import { action } from '../http/action.ts';
import { id, listOf, required, text, yesOrNo } from '../http/shapes.ts';
import { volumeNamed, volumeSnapshotNamed } from '../ids.ts';
import { snapshotViews } from '../views/volumes.ts';

const describeSnapshots = action({
  name: 'DescribeSnapshots',
  about: "Snapshots of the tenant's volumes, or those named.",
  parameters: { SnapshotId: listOf() },
  run: async (call, { SnapshotId }) => {
    if (SnapshotId === undefined) {
      return { snapshotSet: await snapshotViews(call, await call.domain.snapshots.list(call.context)) };
    }
    const snapshots = [];
    for (const given of SnapshotId) snapshots.push(await volumeSnapshotNamed(call, given));
    return { snapshotSet: await snapshotViews(call, snapshots) };
  },
});

const createSnapshot = action({
  name: 'CreateSnapshot',
  about: 'A snapshot of a volume; of one in use only by force.',
  parameters: { VolumeId: required(id()), Name: text(), Description: text(), Force: yesOrNo() },
  run: async (call, { VolumeId, Name, Description, Force }) => {
    const volume = await volumeNamed(call, VolumeId);
    const snapshot = await call.domain.snapshots.create(call.context, {
      volumeId: volume.id,
      name: Name ?? null,
      description: Description ?? null,
      force: Force ?? false,
    });
    const [view] = await snapshotViews(call, [snapshot]);
    return must(view, 'one for each snapshot');
  },
});

const deleteSnapshot = action({
  name: 'DeleteSnapshot',
  about: 'Deletes a snapshot.',
  parameters: { SnapshotId: required(id()) },
  run: async (call, { SnapshotId }) => {
    const snapshot = await volumeSnapshotNamed(call, SnapshotId);
    await call.domain.snapshots.delete(call.context, snapshot.id);
    return true;
  },
});

export const snapshotActions = [describeSnapshots, createSnapshot, deleteSnapshot];
