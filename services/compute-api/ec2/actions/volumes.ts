import { must } from '@folsom/core';
import type { Volume } from '@folsom/nova/volumes';
import { action, type Call } from '../http/action.ts';
import { ec2Time, type ViewElements } from '../http/answer.ts';
import { says } from '../http/faults.ts';
import { id, listOf, required, text } from '../http/shapes.ts';
import { idsOf, instanceNamed, volumeNamed, volumeSnapshotNamed } from '../ids.ts';
import { volumeViews } from '../views/volumes.ts';

const describeVolumes = action({
  name: 'DescribeVolumes',
  about: "The tenant's volumes, or those named.",
  parameters: { VolumeId: listOf() },
  run: async (call, { VolumeId }) => {
    if (VolumeId === undefined) {
      return { volumeSet: await volumeViews(call, await call.domain.volumes.list(call.context)) };
    }
    const volumes = [];
    for (const given of VolumeId) volumes.push(await volumeNamed(call, given));
    return { volumeSet: await volumeViews(call, volumes) };
  },
});

const createVolume = action({
  name: 'CreateVolume',
  about: 'A volume of so many gigabytes, or a copy of a snapshot.',
  parameters: {
    Size: text(),
    AvailabilityZone: text(),
    SnapshotId: id(),
    VolumeType: text(),
    Name: text(),
    Description: text(),
  },
  run: async (call, given) => {
    const snapshot =
      given.SnapshotId === undefined ? null : await volumeSnapshotNamed(call, given.SnapshotId);
    const volume = await call.domain.volumes.create(call.context, {
      size: given.Size,
      name: given.Name ?? null,
      description: given.Description ?? null,
      snapshotId: snapshot?.id ?? null,
      volumeType: given.VolumeType ?? null,
      availabilityZone: given.AvailabilityZone ?? null,
    });
    // Wherever it will be: nobody has it yet.
    const [view] = await volumeViews(call, [{ ...volume, host: null }]);
    return must(view, 'one for each volume');
  },
});

const deleteVolume = action({
  name: 'DeleteVolume',
  about: 'Deletes a volume that nobody has.',
  parameters: { VolumeId: required(id()) },
  faults: { InvalidVolume: says('Delete Failed'), VolumeAttached: says('Delete Failed') },
  run: async (call, { VolumeId }) => {
    const volume = await volumeNamed(call, VolumeId);
    await call.domain.volumes.delete(call.context, volume.id);
    return true;
  },
});

/** What a volume is attached to, or was: nothing is shown of what is still on its way. */
function attachmentView(call: Call, volume: Volume, id: string, instance: string | null): ViewElements {
  const attached = volume.attach_status === 'attached';
  return {
    status: volume.attach_status,
    attachTime: attached ? ec2Time(volume.attach_time) : null,
    instanceId: instance,
    volumeId: id,
    requestId: call.context.requestId,
    device: attached ? volume.mountpoint : null,
  };
}

const attachVolume = action({
  name: 'AttachVolume',
  about: 'Has a volume attached to an instance; how far that is, DescribeVolumes says.',
  parameters: { VolumeId: required(id()), InstanceId: required(id()), Device: required(text()) },
  faults: { InvalidVolume: says('Attach Failed.') },
  run: async (call, { VolumeId, InstanceId, Device }) => {
    const instance = await instanceNamed(call, InstanceId);
    const { id: volumeId } = await volumeNamed(call, VolumeId);
    await call.domain.attachments.attach(call.context, instance.uuid, { volumeId, device: Device });
    return attachmentView(call, await volumeNamed(call, VolumeId), VolumeId, InstanceId);
  },
});

const detachVolume = action({
  name: 'DetachVolume',
  about: 'Has a volume taken from its instance.',
  parameters: { VolumeId: required(id()) },
  faults: {
    InvalidVolume: says('Detach Volume Failed.'),
    VolumeUnattached: says('Detach Volume Failed.'),
  },
  run: async (call, { VolumeId }) => {
    const volume = await volumeNamed(call, VolumeId);
    const instanceId = await idsOf(call, 'instance', [volume.instance_uuid]);
    await call.domain.attachments.detach(call.context, volume.id);
    return attachmentView(call, volume, VolumeId, instanceId('i', volume.instance_uuid));
  },
});

export const volumeActions = [describeVolumes, createVolume, deleteVolume, attachVolume, detachVolume];
