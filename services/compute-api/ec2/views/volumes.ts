import type { VolumeSnapshotRow } from '@folsom/nova/volume-snapshots';
import type { Volume } from '@folsom/nova/volumes';
import type { Call } from '../http/action.ts';
import { ec2Time, type View, type ViewElements } from '../http/answer.ts';
import { idsOf } from '../ids.ts';

type Shown = Pick<
  Volume,
  | 'id'
  | 'status'
  | 'size'
  | 'availability_zone'
  | 'created_at'
  | 'project_id'
  | 'host'
  | 'mountpoint'
  | 'instance_uuid'
  | 'attach_status'
  | 'attach_time'
  | 'snapshot_id'
>;

/** Volumes with what they are attached to: a few statements for all of them. */
export async function volumeViews(call: Call, volumes: readonly Shown[]): Promise<ViewElements[]> {
  const attachedTo = volumes.map(volume => volume.instance_uuid);
  const volumeId = await idsOf(
    call,
    'volume',
    volumes.map(volume => volume.id),
  );
  const snapshotId = await idsOf(
    call,
    'snapshot',
    volumes.map(volume => volume.snapshot_id),
  );
  const instanceId = await idsOf(call, 'instance', attachedTo);
  const hosts = await hostsOf(call, attachedTo);
  return volumes.map(volume => {
    const id = volumeId('vol', volume.id);
    const instance = instanceId('i', volume.instance_uuid);
    const where =
      instance === null ? 'None' : `${instance}[${hosts.get(volume.instance_uuid ?? '') ?? 'None'}]`;
    const { status, project_id, host, mountpoint } = volume;
    const details = [project_id, host, where, mountpoint].map(text => text ?? 'None').join(', ');
    return {
      status: call.context.isAdmin ? `${status} (${details})` : status,
      availabilityZone: volume.availability_zone,
      volumeId: id,
      attachmentSet: [attachmentView(volume, id, instance)],
      snapshotId: snapshotId('snap', volume.snapshot_id),
      createTime: ec2Time(volume.created_at),
      size: volume.size,
    };
  });
}

/** Administrators see the hosts of instances. */
async function hostsOf(
  { domain, context }: Call,
  uuids: readonly (string | null)[],
): Promise<Map<string, string | null>> {
  const wanted = uuids.filter(uuid => uuid !== null);
  if (!context.isAdmin || wanted.length === 0) return new Map();
  const instances = await domain.servers.reserved(context, { uuids: wanted });
  return new Map(instances.map(one => [one.uuid, one.host]));
}

/** One element without content where it is attached to nothing. */
const attachmentView = (volume: Shown, id: string | null, instance: string | null): View =>
  volume.attach_status === 'attached'
    ? {
        status: 'attached',
        attachTime: ec2Time(volume.attach_time),
        instanceId: instance,
        volumeId: id,
        deleteOnTermination: false,
        device: volume.mountpoint,
      }
    : {};

export async function snapshotViews(
  call: Call,
  snapshots: readonly VolumeSnapshotRow[],
): Promise<ViewElements[]> {
  const volumeId = await idsOf(
    call,
    'volume',
    snapshots.map(snapshot => snapshot.volume_id),
  );
  const snapshotId = await idsOf(
    call,
    'snapshot',
    snapshots.map(snapshot => snapshot.id),
  );
  return snapshots.map(snapshot => ({
    status: snapshot.status,
    description: snapshot.display_description,
    volumeId: volumeId('vol', snapshot.volume_id),
    volumeSize: snapshot.volume_size,
    progress: snapshot.progress,
    startTime: ec2Time(snapshot.created_at),
    ownerId: snapshot.project_id,
    snapshotId: snapshotId('snap', snapshot.id),
  }));
}
