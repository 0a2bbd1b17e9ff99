import type { RequestContext } from '@folsom/core';
import { type BlockDeviceRow, blockDevicesOf } from '@folsom/nova/block-devices';
import { novaFault } from '@folsom/nova/faults';
import { volumeStatus } from '@folsom/nova/volume-state';
import { tryMoveVolume, type VolumeRow, volumeById } from '@folsom/nova/volumes';
import type { Guest } from './driver.ts';
import { type ComputeSeam, nowOf } from './seam.ts';
import { volumeOfSnapshot } from './snapshot-volumes.ts';
import { connectVolume, isAttachedTo, isReservedFor, type VolumeDevice, volumeService } from './volumes.ts';

/** A volume that is being made is looked at this often. */
const POLL_MS = 500;

interface BootVolumes {
  seam: ComputeSeam;
  context: RequestContext;
  guest: Guest;
  signal: AbortSignal;
  progress(): void;
}

/**
 * Makes the volumes of a boot the guest's: those of snapshots are made first. Again it goes on where it was cut short.
 *
 * @throws Fault `InvalidVolume` for one that somebody else has, or that could not be made
 */
export async function bootVolumes(boot: BootVolumes): Promise<void> {
  const devices = (await blockDevicesOf(boot.seam.db.knex, boot.guest.uuid)).filter(
    row => !row.no_device && !row.virtual_name && (row.volume_id ?? row.snapshot_id) !== null,
  );
  // All of them are begun before one is waited for.
  const wanted: VolumeDevice[] = [];
  for (const device of devices) wanted.push({ ...device, volume_id: await volumeIdOf(boot, device) });
  for (const device of wanted) await takeVolume(boot, device);
}

async function volumeIdOf({ seam, context, guest }: BootVolumes, device: BlockDeviceRow): Promise<string> {
  if (device.volume_id !== null) return device.volume_id;
  return volumeOfSnapshot(seam, context, guest, device);
}

async function takeVolume(boot: BootVolumes, device: VolumeDevice): Promise<void> {
  const { seam, context, guest } = boot;
  const volume = await made(boot, device.volume_id);
  // An image may name any; nobody boots from another tenant's.
  if (volume.project_id !== guest.project_id) throw novaFault('InvalidBDMVolume', { id: volume.id });
  if (!isAttachedTo(volume, guest.uuid)) await reserve(boot, device, volume);
  await connectVolume(seam, context, guest, device, volume);
  await volumeService(seam, volume).attach(context, {
    volume_id: volume.id,
    instance_uuid: guest.uuid,
    mountpoint: device.device_name,
  });
  boot.progress();
}

/** The volume, as soon as it has been made. */
async function made({ seam, signal, progress }: BootVolumes, id: string): Promise<VolumeRow> {
  for (;;) {
    const volume = await volumeById(seam.db.knex, id);
    const { status } = volume;
    if (status !== volumeStatus.creating && status !== volumeStatus.downloading) return volume;
    progress();
    await seam.world.clock.sleep(POLL_MS, signal);
  }
}

/** Of two boots with one volume, one gets it. */
async function reserve({ seam, guest }: BootVolumes, device: VolumeDevice, volume: VolumeRow): Promise<void> {
  const ours = { instance_uuid: guest.uuid, mountpoint: device.device_name };
  if (await tryMoveVolume(seam.db.knex, volume.id, 'reserve', nowOf(seam), ours)) return;
  const now = await volumeById(seam.db.knex, volume.id);
  if (isReservedFor(now, guest.uuid) && now.instance_uuid === guest.uuid) return;
  throw novaFault('InvalidVolume', { reason: 'status must be available' });
}
