import { isFault, must, type RequestContext } from '@folsom/core';
import type { Database } from '@folsom/db';
import {
  type BlockDeviceRow,
  changeBlockDevice,
  removeBlockDevice,
  volumesOf,
} from '@folsom/nova/block-devices';
import type { Sql } from '@folsom/nova/rows';
import { type ConnectionInfo, volumeContract } from '@folsom/nova/rpc/volume';
import { attachStatus, volumeStatus } from '@folsom/nova/volume-state';
import { tryMoveVolume, type VolumeRow, volumeById } from '@folsom/nova/volumes';
import type { Guest, VolumeAttachment } from './driver.ts';
import { type ComputeSeam, guestOf, nowOf } from './seam.ts';

/** What an instance has of volumes: rows, nova-volume and hypervisor kept in step. */

/** A block device mapping that is a volume. */
export type VolumeDevice = BlockDeviceRow & { volume_id: string };

/** Volumes that an instance uses, from its block device mappings that carry a connection. */
export async function attachmentsOf(db: Database, instanceUuid: string): Promise<VolumeAttachment[]> {
  return (await volumesOf(db.knex, instanceUuid)).flatMap(device => {
    const attachment = attachmentOf(device);
    return attachment === undefined ? [] : [attachment];
  });
}

/** Undefined for one that no host has been connected to. */
export function attachmentOf(device: VolumeDevice): VolumeAttachment | undefined {
  const connectionInfo = connectionOf(device.connection_info);
  if (connectionInfo === undefined) return undefined;
  return {
    volumeId: device.volume_id,
    mountDevice: device.device_name,
    connectionInfo,
    deleteOnTermination: device.delete_on_termination === true,
  };
}

function connectionOf(text: string | null): ConnectionInfo | undefined {
  try {
    const value = JSON.parse(text ?? 'null') as ConnectionInfo | null;
    return typeof value === 'object' && value !== null && 'data' in value ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The volume and where it is; undefined when there is none any more. */
export const presentVolume = (sql: Sql, id: string): Promise<VolumeRow | undefined> =>
  volumeById(sql, id).catch(error => {
    if (!isFault(error, 'VolumeNotFound')) throw error;
    return undefined;
  });

/** Whether the instance has it. */
export const isAttachedTo = (volume: VolumeRow, instanceUuid: string): boolean =>
  volume.attach_status === attachStatus.attached && volume.instance_uuid === instanceUuid;

/** Whether it is kept for the instance. An original's API keeps a volume without saying for whom. */
export const isReservedFor = (volume: VolumeRow, instanceUuid: string): boolean =>
  volume.status === volumeStatus.attaching &&
  volume.attach_status !== attachStatus.attached &&
  (volume.instance_uuid === null || volume.instance_uuid === instanceUuid);

/** nova-volume of the volume's host. */
export const volumeService = ({ bus }: Pick<ComputeSeam, 'bus'>, { host }: VolumeRow) => {
  const client = volumeContract.client(bus);
  const to = host === null ? {} : { host };
  return {
    initialize: (context: RequestContext, args: Parameters<typeof client.initialize_connection>[1]) =>
      client.initialize_connection(context, args, to),
    terminate: (context: RequestContext, args: Parameters<typeof client.terminate_connection>[1]) =>
      client.terminate_connection(context, args, to),
    attach: (context: RequestContext, args: Parameters<typeof client.attach_volume>[1]) =>
      client.attach_volume(context, args, to),
    detach: (context: RequestContext, volume_id: string) => client.detach_volume(context, { volume_id }, to),
  };
};

/** Has a volume made reachable from this host. Again it answers the same. */
async function reachVolume(
  seam: ComputeSeam,
  context: RequestContext,
  guest: Guest,
  device: VolumeDevice,
  volume: VolumeRow,
): Promise<VolumeAttachment> {
  const connector = await seam.driver.volumeConnector(guest);
  const info = await volumeService(seam, volume).initialize(context, { volume_id: volume.id, connector });
  return must(
    attachmentOf({ ...device, connection_info: JSON.stringify({ serial: volume.id, ...info }) }),
    'attachmentOf gives something',
  );
}

/** The same, and writes down how. */
export async function connectVolume(
  seam: ComputeSeam,
  context: RequestContext,
  guest: Guest,
  device: VolumeDevice,
  volume: VolumeRow,
): Promise<VolumeAttachment> {
  const attachment = await reachVolume(seam, context, guest, device, volume);
  const connection_info = JSON.stringify(attachment.connectionInfo);
  await changeBlockDevice(seam.db.knex, device.id, { connection_info }, nowOf(seam));
  return attachment;
}

/** This host gives the connection to a volume up. One that is gone is none. */
export async function disconnectVolume(
  seam: ComputeSeam,
  context: RequestContext,
  guest: Guest,
  volume: VolumeRow,
): Promise<void> {
  const connector = await seam.driver.volumeConnector(guest);
  await volumeService(seam, volume)
    .terminate(context, { volume_id: volume.id, connector })
    .catch(error => {
      if (!isFault(error, 'DiskNotFound') && !isFault(error, 'VolumeNotFound')) throw error;
      seam.log.warn('a volume to disconnect is gone', { instance: guest.uuid, volume: volume.id, error });
    });
}

/** The volumes that a guest has, with their mappings. */
async function ownVolumes(
  seam: ComputeSeam,
  guest: Guest,
): Promise<{ device: VolumeDevice; volume: VolumeRow }[]> {
  const own: { device: VolumeDevice; volume: VolumeRow }[] = [];
  for (const device of await volumesOf(seam.db.knex, guest.uuid)) {
    const volume = await presentVolume(seam.db.knex, device.volume_id);
    if (volume !== undefined && isAttachedTo(volume, guest.uuid)) own.push({ device, volume });
  }
  return own;
}

const eachVolume =
  (reach: typeof reachVolume) =>
  async (seam: ComputeSeam, context: RequestContext, guest: Guest): Promise<VolumeAttachment[]> => {
    const attachments: VolumeAttachment[] = [];
    for (const { device, volume } of await ownVolumes(seam, guest))
      attachments.push(await reach(seam, context, guest, device, volume));
    return attachments;
  };

/** All volumes of a guest as this host reaches them, whoever has the guest. */
export const reachVolumes = eachVolume(reachVolume);

/** The same for a guest that is this host's from now on: its mappings say so. */
export const connectVolumes = eachVolume(connectVolume);

/** This host gives up its connections to the volumes of a guest that has left it; the guest keeps them. */
export async function disconnectVolumes(
  seam: ComputeSeam,
  context: RequestContext,
  guest: Guest,
): Promise<void> {
  for (const { volume } of await ownVolumes(seam, guest))
    await disconnectVolume(seam, context, guest, volume);
}

/** Nobody's again: what was only kept for the instance, and what it had. */
async function giveBack(
  seam: ComputeSeam,
  context: RequestContext,
  guest: Guest,
  volume: VolumeRow,
): Promise<void> {
  if (isAttachedTo(volume, guest.uuid)) await volumeService(seam, volume).detach(context, volume.id);
  else if (isReservedFor(volume, guest.uuid)) await unreserveVolume(seam, guest.uuid, volume);
}

/** What was kept for the instance can be had again. */
export const unreserveVolume = (
  seam: ComputeSeam,
  instanceUuid: string,
  volume: VolumeRow,
  sql: Sql = seam.db.knex,
): Promise<boolean> =>
  isReservedFor(volume, instanceUuid)
    ? tryMoveVolume(
        sql,
        volume.id,
        'unreserve',
        nowOf(seam),
        { instance_uuid: null, mountpoint: null },
        volume.instance_uuid === null ? {} : { instanceUuid },
      )
    : Promise.resolve(false);

/** Gives all volumes of a guest back that this host no longer runs. The mappings stay, without their connections. */
export async function giveVolumesBack(
  seam: ComputeSeam,
  context: RequestContext,
  guest: Guest,
): Promise<void> {
  for (const device of await volumesOf(seam.db.knex, guest.uuid)) {
    const volume = await presentVolume(seam.db.knex, device.volume_id);
    if (volume === undefined) continue;
    const ours = isAttachedTo(volume, guest.uuid) || isReservedFor(volume, guest.uuid);
    if (ours && device.connection_info !== null) await disconnectVolume(seam, context, guest, volume);
    await giveBack(seam, context, guest, volume);
    await changeBlockDevice(seam.db.knex, device.id, { connection_info: null }, nowOf(seam));
  }
}

/** The volumes that go with their instance, once they are nobody's. What cannot be deleted now stays as it is. */
export async function deleteVolumesOf(
  seam: ComputeSeam,
  context: RequestContext,
  guest: Guest,
): Promise<void> {
  for (const device of await volumesOf(seam.db.knex, guest.uuid)) {
    if (device.delete_on_termination !== true) continue;
    const deleted = await seam.outbox.transaction(async (trx, send) => {
      const volume = await presentVolume(trx, device.volume_id);
      if (volume === undefined || volume.host === null) return false;
      // A mapping may name any: only those of its own tenant go with an instance.
      if (volume.project_id !== guest.project_id) return false;
      if (!(await tryMoveVolume(trx, volume.id, 'delete', nowOf(seam), { terminated_at: nowOf(seam) })))
        return false;
      await volumeContract
        .client(send)
        .delete_volume(context, { volume_id: volume.id }, { host: volume.host });
      // Asked again, it would be another's by then.
      return removeBlockDevice(trx, device.id, nowOf(seam));
    });
    if (!deleted)
      seam.log.warn('a volume could not be deleted with its instance', {
        instance: guest.uuid,
        volume: device.volume_id,
      });
  }
}

/** An original's source asks for this after a live migration that failed: the volume stays the instance's, not this host's. */
export async function removeVolumeConnection(
  seam: ComputeSeam,
  context: RequestContext,
  args: { instance: { uuid: string }; volume_id: string },
): Promise<null> {
  const guest = await guestOf(seam, args.instance.uuid);
  const own = (await ownVolumes(seam, guest)).find(({ volume }) => volume.id === args.volume_id);
  // A guest that lives here needs it.
  if (own === undefined || guest.host === seam.host) return null;
  const reached = await reachVolume(seam, context, guest, own.device, own.volume);
  await seam.driver.disconnectVolumes(guest, [reached]);
  await disconnectVolume(seam, context, guest, own.volume);
  return null;
}
