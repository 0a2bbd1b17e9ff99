import type { Random } from '@folsom/core';
import { type Database, fromSqlBool, toSqlTime } from '@folsom/db';
import { networkFault } from './network-faults.ts';

/** A row of `virtual_interfaces`: a guest's network card. */
export interface VirtualInterfaceRow {
  id: number;
  uuid: string;
  /** MAC address, `fa:16:3e:xx:xx:xx`. */
  address: string;
  network_id: number | null;
  instance_uuid: string | null;
  created_at: string | null;
  updated_at: string | null;
  deleted_at: string | null;
  deleted: boolean;
}

const toInterface = (row: Record<string, unknown>): VirtualInterfaceRow => ({
  ...(row as unknown as VirtualInterfaceRow),
  deleted: fromSqlBool(row.deleted),
});

const live = (db: Database) => db.knex('virtual_interfaces').where('deleted', 0);

/** A locally known prefix and three random bytes, the first below 0x80, as the original draws them. */
const newMacAddress = (random: Random): string =>
  [0xfa, 0x16, 0x3e, random.int(0x80), random.int(0x100), random.int(0x100)]
    .map(byte => byte.toString(16).padStart(2, '0'))
    .join(':');

/** Makes a card with an address nobody else has. */
export async function createVirtualInterface(
  db: Database,
  values: { instanceUuid: string; networkId: number },
  /** `attempts`: addresses tried before it is given up (create_unique_mac_address_attempts). */
  seam: { random: Random; now: number; attempts: number },
): Promise<VirtualInterfaceRow> {
  for (let attempt = 0; attempt < seam.attempts; attempt++) {
    const address = newMacAddress(seam.random);
    const made = await db.transaction(async trx => {
      if ((await trx('virtual_interfaces').where({ address }).first('id')) !== undefined) return undefined;
      const [id] = await trx('virtual_interfaces').insert({
        address,
        network_id: values.networkId,
        instance_uuid: values.instanceUuid,
        uuid: seam.random.uuid(),
        deleted: 0,
        created_at: toSqlTime(seam.now),
      });
      return trx('virtual_interfaces').where({ id }).first();
    });
    if (made !== undefined) return toInterface(made);
  }
  throw networkFault('VirtualInterfaceMacAddressException');
}

/** The cards of an instance in the order they were made. */
export async function interfacesOfInstance(
  db: Database,
  instanceUuid: string,
): Promise<VirtualInterfaceRow[]> {
  return (await live(db).where({ instance_uuid: instanceUuid }).orderBy('id')).map(toInterface);
}

export async function interfaceByAddress(
  db: Database,
  address: string,
): Promise<VirtualInterfaceRow | undefined> {
  const row = await live(db).where({ address }).first();
  return row === undefined ? undefined : toInterface(row);
}

/** Removes an instance's cards. Rows go for good, as in the original, which frees their addresses. */
export async function deleteInterfacesOfInstance(db: Database, instanceUuid: string): Promise<void> {
  await db.knex('virtual_interfaces').where({ instance_uuid: instanceUuid }).delete();
}
