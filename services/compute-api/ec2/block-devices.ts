import type { BlockDevice } from '../domain/block-devices.ts';
import type { Call } from './http/action.ts';
import { ec2Fault } from './http/faults.ts';
import { id, recordOf, recordsOf, text, type Values, wholeNumber, yesOrNo } from './http/shapes.ts';
import { numberOf } from './ids.ts';

/** `BlockDeviceMapping.N`: disks besides those of the image. */
export const blockDeviceMapping = recordsOf({
  DeviceName: text(),
  VirtualName: text(),
  NoDevice: text(8),
  Ebs: recordOf({
    SnapshotId: id(),
    VolumeSize: wholeNumber(),
    DeleteOnTermination: yesOrNo(),
    NoDevice: text(8),
  }),
});
type Device = NonNullable<Values<{ devices: typeof blockDeviceMapping }>['devices']>[number];
/** Entries of one request. */
const DEVICES_MAX = 64;
/** @throws Fault `VolumeNotFound`, `SnapshotNotFound`, `MissingParameter` */
export async function devicesOf(call: Call, given: readonly Device[]): Promise<BlockDevice[]> {
  if (given.length > DEVICES_MAX) throw ec2Fault('InvalidParameter', { name: 'BlockDeviceMapping' });
  const devices: BlockDevice[] = [];
  for (const { DeviceName, VirtualName, NoDevice, Ebs } of given) {
    if (DeviceName === undefined)
      throw ec2Fault('MissingParameter', { name: 'BlockDeviceMapping.DeviceName' });
    const source = await sourceOf(call, Ebs?.SnapshotId);
    devices.push({
      device_name: DeviceName,
      ...source,
      volume_size: Ebs?.VolumeSize ?? null,
      virtual_name: VirtualName ?? null,
      delete_on_termination: Ebs?.DeleteOnTermination ?? (Ebs?.SnapshotId === undefined ? null : true),
      // It is enough that it is there: EC2's clients write it without a value.
      no_device: NoDevice === undefined && Ebs?.NoDevice === undefined ? null : true,
    });
  }
  return devices;
}

/** What a disk is made from: EC2 has one parameter for snapshots and volumes. */
async function sourceOf({ domain, context }: Call, given: string | undefined) {
  if (given === undefined) return { snapshot_id: null, volume_id: null };
  const kind = given.startsWith('vol-') ? 'volume' : 'snapshot';
  const uuid = await domain.ec2Ids.uuid(context, kind, numberOf(given));
  if (uuid === undefined) {
    throw kind === 'volume'
      ? ec2Fault('VolumeNotFound', { volume_id: given })
      : ec2Fault('SnapshotNotFound', { snapshot_id: given });
  }
  return { snapshot_id: kind === 'snapshot' ? uuid : null, volume_id: kind === 'volume' ? uuid : null };
}
