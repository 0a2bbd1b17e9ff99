import type { Random } from '@folsom/core';
import { type Database, fromSqlBool, prepared, toSqlTime } from '@folsom/db';
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

const cardAt = prepared((sql, address: string) => sql('virtual_interfaces').where({ address }).first('id'));
const insertCard = prepared((sql, row: Record<string, string | number>) =>
  sql('virtual_interfaces').insert(row),
);
const cardsOf = prepared((sql, instanceUuid: string) =>
  sql('virtual_interfaces').where({ deleted: 0, instance_uuid: instanceUuid }).orderBy('id'),
);

/** Makes a card with an address nobody else has. */
export async function createVirtualInterface(
  db: Database,
  values: { instanceUuid: string; networkId: number },
  /** `attempts`: addresses tried before it is given up (create_unique_mac_address_attempts). */
  seam: { random: Random; now: number; attempts: number },
): Promise<VirtualInterfaceRow> {
  for (let attempt = 0; attempt < seam.attempts; attempt++) {
    const address = newMacAddress(seam.random);
    const card = {
      address,
      network_id: values.networkId,
      instance_uuid: values.instanceUuid,
      uuid: seam.random.uuid(),
      created_at: toSqlTime(seam.now),
    };
    const id = await db.transaction(async trx => {
      if ((await cardAt(trx, address)) !== undefined) return undefined;
      const [made] = await insertCard(trx, { ...card, deleted: 0 });
      return Number(made);
    });
    if (id !== undefined) return { ...card, id, updated_at: null, deleted_at: null, deleted: false };
  }
  throw networkFault('VirtualInterfaceMacAddressException');
}

/** The cards of an instance in the order they were made. */
export async function interfacesOfInstance(
  db: Database,
  instanceUuid: string,
): Promise<VirtualInterfaceRow[]> {
  return (await cardsOf(db.knex, instanceUuid)).map(toInterface);
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
