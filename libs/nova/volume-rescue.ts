import { type Database, softDeleteWhere } from '@folsom/db';
import { novaFault } from './faults.ts';
import { instanceRecord, instanceWire } from './instance-records.ts';
import type { InstanceWire } from './rpc/wire.ts';

/** What an operator needs of a volume that is in an odd state. */
export interface OddVolume {
  id: string;
  host: string | null;
  status: string | null;
  mountpoint: string | null;
  instance_uuid: string | null;
}

/** By id, or by the name EC2 users see (`vol-0000000a`). @throws Fault `VolumeNotFound` */
export async function volumeForOperator(db: Database, given: string): Promise<OddVolume> {
  const number = /^(?:vol|volume)-([0-9a-f]{8})$/i.exec(given)?.[1];
  const id =
    number === undefined
      ? given
      : (
          await db
            .knex('volume_id_mappings')
            .where({ id: Number.parseInt(number, 16), deleted: 0 })
            .first('uuid')
        )?.uuid;
  const row = await db
    .knex('volumes')
    .where({ id: id ?? '', deleted: 0 })
    .first('id', 'host', 'status', 'mountpoint', 'instance_uuid');
  if (row === undefined) throw novaFault('VolumeNotFound', { volume_id: given });
  return row;
}

/** Marks a volume no host has as deleted. */
export async function forgetVolume(db: Database, id: string, now: number): Promise<void> {
  await db.transaction(async trx => {
    await softDeleteWhere(trx, 'volumes', { id }, now);
    await softDeleteWhere(trx, 'volume_metadata', { volume_id: id }, now);
    await softDeleteWhere(trx, 'iscsi_targets', { volume_id: id }, now);
  });
}

/** The server a volume is attached to, as messages carry it, and its host; undefined when there is none. */
export async function attachedVolume(
  db: Database,
  volume: OddVolume,
  nameTemplate: string,
): Promise<{ instance: InstanceWire; host: string } | undefined> {
  if (volume.instance_uuid === null) return undefined;
  const record = await instanceRecord(db.knex, volume.instance_uuid);
  return record.host === null
    ? undefined
    : { instance: instanceWire(record, nameTemplate), host: record.host };
}
