import { fromSqlBool, prepared, type RowOf, toSqlTime } from '@folsom/db';
import { nameOfNewDevice, type OwnDevices } from './device-names.ts';
import { novaFault } from './faults.ts';
import { alive, columns, deletion, fromRow, type RowBase, type Sql, toRow } from './rows.ts';

/** A row of `block_device_mapping`: a disk that an instance has, or is to have, beside its image's. */
export interface BlockDeviceRow extends RowBase {
  id: number;
  instance_uuid: string;
  device_name: string;
  delete_on_termination: boolean | null;
  /** `swap`, `ephemeral0`: a disk of the flavor. */
  virtual_name: string | null;
  snapshot_id: string | null;
  /** `reserved` while the original's API has only taken the name. */
  volume_id: string | null;
  /** Gigabytes; megabytes of a swap disk. */
  volume_size: number | null;
  /** The image's device of this name is not wanted. */
  no_device: boolean | null;
  /** JSON text of how the host reaches the volume; null before it does. */
  connection_info: string | null;
}

/** What stands for a volume where only the name is taken. */
export const RESERVED = 'reserved';

const spec = columns([], ['delete_on_termination', 'no_device']);
type Raw = RowOf<'block_device_mapping'>;
const deviceFrom = (raw: Raw): BlockDeviceRow => fromRow<BlockDeviceRow>(spec, raw);

/** All of an instance's, in the order in which they came. */
export async function blockDevicesOf(sql: Sql, instanceUuid: string): Promise<BlockDeviceRow[]> {
  return (await devicesOf(sql, instanceUuid)).map(deviceFrom);
}
const devicesOf = prepared((sql, instanceUuid: string) =>
  sql('block_device_mapping')
    .where({ ...alive, instance_uuid: instanceUuid })
    .orderBy('id'),
);

/** Those of them that are volumes. */
export const volumesOf = async (
  sql: Sql,
  instanceUuid: string,
): Promise<(BlockDeviceRow & { volume_id: string })[]> =>
  (await blockDevicesOf(sql, instanceUuid)).flatMap(row =>
    row.volume_id === null || row.volume_id === RESERVED || row.no_device
      ? []
      : [{ ...row, volume_id: row.volume_id }],
  );

/** Where the flavor's own disks are to be, as image and user say it: `swap` and `ephemeral0` by the names of devices. */
export const virtualDevicesOf = async (sql: Sql, instanceUuid: string): Promise<Map<string, string>> =>
  new Map(
    (await blockDevicesOf(sql, instanceUuid)).flatMap(row =>
      row.virtual_name === null || row.no_device ? [] : [[row.virtual_name, row.device_name] as const],
    ),
  );

export type BlockDeviceChanges = Partial<Omit<BlockDeviceRow, keyof RowBase | 'id' | 'instance_uuid'>>;

/** False when the row is gone. */
export const changeBlockDevice = async (
  sql: Sql,
  id: number,
  changes: BlockDeviceChanges,
  now: number,
): Promise<boolean> =>
  (await sql('block_device_mapping')
    .where({ ...alive, id })
    .update({ ...toRow(spec, { ...changes }), updated_at: toSqlTime(now) })) > 0;

/** False when it was gone already. */
export const removeBlockDevice = async (sql: Sql, id: number, now: number): Promise<boolean> =>
  (await sql('block_device_mapping')
    .where({ ...alive, id })
    .update(deletion(now))) > 0;

/** All of an instance's. */
export const removeBlockDevices = (sql: Sql, instanceUuid: string, now: number): Promise<number> =>
  sql('block_device_mapping')
    .where({ ...alive, instance_uuid: instanceUuid })
    .update(deletion(now));

/**
 * Gives a new device of an instance its name and its row. The instance is held until the transaction ends: no two
 * devices ever get one name.
 *
 * @throws Fault `InvalidDevicePath`, `DevicePathInUse`, `InstanceNotFound`
 */
export async function reserveBlockDevice(
  trx: Sql,
  instanceUuid: string,
  device: { wanted: string | null; volumeId: string },
  now: number,
): Promise<string> {
  const own = (await trx('instances')
    .where({ uuid: instanceUuid })
    .forUpdate()
    .first('deleted', 'root_device_name', 'default_ephemeral_device', 'default_swap_device')) as
    | (OwnDevices & { deleted: unknown })
    | undefined;
  if (own === undefined || fromSqlBool(own.deleted))
    throw novaFault('InstanceNotFound', { instance_id: instanceUuid });
  const taken = (await blockDevicesOf(trx, instanceUuid)).filter(row => !row.no_device);
  const name = nameOfNewDevice(
    own,
    taken.map(row => row.device_name),
    device.wanted,
  );
  await trx('block_device_mapping').insert({
    instance_uuid: instanceUuid,
    device_name: name,
    volume_id: device.volumeId,
    delete_on_termination: 0,
    deleted: 0,
    created_at: toSqlTime(now),
  });
  return name;
}
