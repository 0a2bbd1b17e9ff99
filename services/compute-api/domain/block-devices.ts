import { novaFault } from '@folsom/nova/faults';
import type { FlavorRow } from '@folsom/nova/flavors';
import type { Sql } from '@folsom/nova/rows';
import { scalarText } from './values.ts';

/** One entry of `block_device_mapping` in a boot request. */
export interface BlockDevice {
  device_name: string;
  volume_id: string | null;
  snapshot_id: string | null;
  volume_size: number | null;
  virtual_name: string | null;
  delete_on_termination: boolean | null;
  no_device: boolean | null;
}

/** Entries of one request. */
export const BLOCK_DEVICES_MAX = 64;

/** Every volume and snapshot named must be the tenant's own. @throws Fault `InvalidBDMVolume`, `InvalidBDMSnapshot` */
export async function checkVolumes(
  sql: Sql,
  projectId: string,
  devices: readonly Pick<BlockDevice, 'volume_id' | 'snapshot_id'>[],
): Promise<void> {
  const known = async (table: string, ids: (string | null)[]) => {
    const wanted = ids.filter(id => id !== null);
    if (wanted.length === 0) return new Set<string>();
    const rows = await sql(table)
      .where({ deleted: 0, project_id: projectId })
      .whereIn('id', wanted)
      .select('id');
    return new Set(rows.map((row: { id: string }) => row.id));
  };
  const volumes = await known(
    'volumes',
    devices.map(device => device.volume_id),
  );
  const snapshots = await known(
    'snapshots',
    devices.map(device => device.snapshot_id),
  );
  for (const device of devices) {
    if (device.volume_id !== null) {
      if (!volumes.has(device.volume_id)) throw novaFault('InvalidBDMVolume', { id: device.volume_id });
    } else if (device.snapshot_id !== null && !snapshots.has(device.snapshot_id)) {
      throw novaFault('InvalidBDMSnapshot', { id: device.snapshot_id });
    }
  }
}

/** Where an image says its root device is, e.g. `/dev/sda1`. */
export function rootDeviceName(properties: Readonly<Record<string, unknown>>): string | null {
  if (typeof properties.root_device_name === 'string') return properties.root_device_name;
  for (const mapping of mappingsOf(properties.mappings)) {
    if (mapping.virtual === 'root' && typeof mapping.device === 'string') return mapping.device;
  }
  return null;
}

type Mapping = Record<string, unknown>;
const mappingsOf = (value: unknown): Mapping[] =>
  Array.isArray(value)
    ? (value.slice(0, BLOCK_DEVICES_MAX).filter(item => item && typeof item === 'object') as Mapping[])
    : [];

/** What an image says of its devices. */
const imageDevices = (properties: Readonly<Record<string, unknown>>): BlockDevice[] =>
  mappingsOf(properties.block_device_mapping).flatMap(entry => readDevice(entry) ?? []);

/** A row of `block_device_mapping` as a boot writes it. */
type NewBlockDevice = {
  [Column in keyof BlockDevice]: BlockDevice[Column] extends boolean | null
    ? number | null
    : BlockDevice[Column];
};

/** Rows of `block_device_mapping`: the image's, then the request's, which win for the same device. */
export function blockDeviceRows(
  properties: Readonly<Record<string, unknown>>,
  devices: readonly BlockDevice[],
  flavor: FlavorRow,
): NewBlockDevice[] {
  const rows = new Map<string, Partial<NewBlockDevice>>();
  for (const mapping of mappingsOf(properties.mappings)) {
    const virtual = typeof mapping.virtual === 'string' ? mapping.virtual : '';
    const size = sizeOf(flavor, virtual);
    if (size === undefined || size === 0 || typeof mapping.device !== 'string') continue;
    const device = mapping.device.startsWith('/') ? mapping.device : `/dev/${mapping.device}`;
    rows.set(device, { device_name: device, virtual_name: virtual, volume_size: size });
  }
  for (const device of [...imageDevices(properties), ...devices]) {
    const row = rowOf(device, flavor);
    if (row) rows.set(device.device_name, row);
  }
  const template = {
    device_name: '',
    delete_on_termination: null,
    virtual_name: null,
    snapshot_id: null,
    volume_id: null,
    volume_size: null,
    no_device: null,
  };
  return [...rows.values()].map(row => ({ ...template, ...row }));
}

function rowOf(device: BlockDevice, flavor: FlavorRow): Partial<NewBlockDevice> | undefined {
  if (device.virtual_name === 'NoDevice') return { device_name: device.device_name, no_device: 1 };
  const size = device.virtual_name === null ? undefined : sizeOf(flavor, device.virtual_name);
  if (size === 0) return undefined;
  const bit = (value: boolean | null) => (value === null ? null : Number(value));
  return {
    ...device,
    volume_size: size ?? device.volume_size,
    delete_on_termination: bit(device.delete_on_termination),
    no_device: bit(device.no_device),
  };
}

/** Megabytes of swap or gigabytes of the first ephemeral disk; undefined for what is neither. */
function sizeOf(flavor: FlavorRow, virtual: string): number | undefined {
  if (virtual === 'swap') return flavor.swap;
  const ephemeral = /^ephemeral(\d|[1-9]\d+)$/.exec(virtual);
  if (!ephemeral) return undefined;
  return ephemeral[1] === '0' ? flavor.ephemeral_gb : 0;
}

const textOrNull = (value: unknown): string | null =>
  typeof value === 'string' && value !== '' ? value : null;

/** One entry as users and images write it; undefined when it names no device. */
export function readDevice(entry: Record<string, unknown>): BlockDevice | undefined {
  const name = textOrNull(entry.device_name);
  if (name === null || name.length > 255) return undefined;
  const size = ['number', 'string'].includes(typeof entry.volume_size)
    ? Number(entry.volume_size)
    : Number.NaN;
  return {
    device_name: name,
    volume_id: textOrNull(entry.volume_id),
    snapshot_id: textOrNull(entry.snapshot_id),
    volume_size: Number.isSafeInteger(size) && size > 0 ? size : null,
    virtual_name: textOrNull(entry.virtual_name),
    delete_on_termination: truth(entry.delete_on_termination),
    no_device: truth(entry.no_device),
  };
}

const truth = (value: unknown): boolean | null =>
  value === undefined || value === null || value === ''
    ? null
    : /^(1|true|yes|y)$/i.test(scalarText(value) ?? '');
