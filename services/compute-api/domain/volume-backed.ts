import type { RequestContext } from '@folsom/core';
import { type BlockDeviceRow, blockDevicesOf } from '@folsom/nova/block-devices';
import { deviceLetters } from '@folsom/nova/device-names';
import type { InstanceRecord } from '@folsom/nova/instance-records';
import type { Sql } from '@folsom/nova/rows';
import type { ImageWire } from '@folsom/nova/rpc/wire';
import type { Deps } from './deps.ts';
import { createVolumeSnapshot } from './volume-snapshots.ts';

/** Whether the instance's first disk is a volume. */
export async function isVolumeBacked(sql: Sql, instance: InstanceRecord): Promise<boolean> {
  const root = deviceLetters(instance.root_device_name ?? '');
  if (root === undefined) return false;
  const devices = await blockDevicesOf(sql, instance.uuid);
  return devices.some(device => !device.no_device && deviceLetters(device.device_name) === root);
}

/**
 * Makes snapshots of an instance's volumes and an image that has no bytes: whoever boots from it gets volumes of the
 * snapshots.
 *
 * @throws Fault `InvalidVolume`
 */
export async function snapshotOfVolumes(
  deps: Deps,
  context: RequestContext,
  instance: InstanceRecord,
  request: { name: string; properties: Readonly<Record<string, unknown>> },
): Promise<ImageWire> {
  const origin = await deps.images.show(context, instance.image_ref);
  const mapping: Record<string, unknown>[] = [];
  for (const device of await blockDevicesOf(deps.db.knex, instance.uuid)) {
    if (!device.no_device) mapping.push(await entryOf(deps, context, device, request.name));
  }
  const named = new Set(mapping.map(entry => entry.device_name));
  const { mappings } = origin.properties;
  // What its image gave it and it does not have, the next one shall not have either.
  for (const { virtual, device } of (Array.isArray(mappings) ? mappings : []) as Record<string, unknown>[]) {
    if (virtual === 'ami' || virtual === 'root' || typeof device !== 'string') continue;
    const device_name = device.startsWith('/') ? device : `/dev/${device}`;
    if (!named.has(device_name)) mapping.push({ device_name, no_device: true });
  }
  const { disk_format, container_format, min_disk, min_ram } = origin;
  return deps.images.create(
    context,
    {
      name: request.name,
      is_public: false,
      disk_format,
      container_format,
      min_disk,
      min_ram,
      properties: {
        ...origin.properties,
        root_device_name: instance.root_device_name,
        ...request.properties,
        block_device_mapping: mapping,
      },
    },
    'none',
  );
}

/** A device as the image names it: in place of the volume its snapshot. */
async function entryOf(
  deps: Deps,
  context: RequestContext,
  device: BlockDeviceRow,
  name: string,
): Promise<Record<string, unknown>> {
  const { device_name, snapshot_id, volume_id, volume_size, delete_on_termination, virtual_name } = device;
  const snapshot =
    volume_id === null
      ? undefined
      : await createVolumeSnapshot(deps, context, {
          volumeId: volume_id,
          name: `snapshot for ${name}`,
          description: null,
          force: true,
        });
  const entry = {
    device_name,
    snapshot_id: snapshot?.id ?? snapshot_id,
    volume_size,
    delete_on_termination,
    virtual_name,
  };
  return Object.fromEntries(Object.entries(entry).filter(([, value]) => value !== null));
}
