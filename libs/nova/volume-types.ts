import { inBatches, insertReturningId, type RowOf, toSqlTime } from '@folsom/db';
import { novaFault } from './faults.ts';
import { alive, columns, deletion, fromRow, groupBy, type RowBase, type Sql } from './rows.ts';

/** A row of `volume_types` with its extra specs. */
export interface VolumeType extends RowBase {
  id: number;
  name: string;
  extra_specs: Record<string, string>;
}

const spec = columns();
type Raw = RowOf<'volume_types'>;

/** Types by name. */
export async function listVolumeTypes(sql: Sql): Promise<VolumeType[]> {
  return complete(sql, await sql('volume_types').where(alive).orderBy('name').orderBy('id'));
}

/** @throws Fault `VolumeTypeNotFound`; what is no number names none */
export async function volumeTypeById(sql: Sql, id: number | undefined, given: string): Promise<VolumeType> {
  const raws =
    id === undefined
      ? []
      : await sql('volume_types')
          .where({ ...alive, id })
          .limit(1);
  const [type] = await complete(sql, raws);
  if (!type) throw novaFault('VolumeTypeNotFound', { volume_type_id: given });
  return type;
}

/** @throws Fault `VolumeTypeNotFoundByName` */
export async function volumeTypeByName(sql: Sql, name: string): Promise<VolumeType> {
  const [type] = await complete(
    sql,
    await sql('volume_types')
      .where({ ...alive, name })
      .orderBy('id')
      .limit(1),
  );
  if (!type) throw novaFault('VolumeTypeNotFoundByName', { volume_type_name: name });
  return type;
}

async function complete(sql: Sql, raws: Raw[]): Promise<VolumeType[]> {
  if (raws.length === 0) return [];
  const rows = (await inBatches(
    raws.map(raw => raw.id),
    batch =>
      sql('volume_type_extra_specs')
        .where(alive)
        .whereIn('volume_type_id', batch)
        .orderBy('id')
        .select('volume_type_id', 'key', 'value'),
  )) as { volume_type_id: number; key: string; value: string }[];
  const specs = groupBy(rows, row => row.volume_type_id);
  return raws.map(raw => {
    const row = fromRow<Omit<VolumeType, 'extra_specs'>>(spec, raw);
    const own = specs.get(row.id) ?? [];
    return Object.assign(row, { extra_specs: Object.fromEntries(own.map(({ key, value }) => [key, value])) });
  });
}

/** Run it in a transaction that excludes others of the name. @throws Fault `VolumeTypeExists` */
export async function insertVolumeType(
  sql: Sql,
  name: string,
  extraSpecs: Readonly<Record<string, string>>,
  now: number,
): Promise<VolumeType> {
  if (
    await sql('volume_types')
      .where({ ...alive, name })
      .first('id')
  )
    throw novaFault('VolumeTypeExists', { name });
  const id = await insertReturningId(sql, 'volume_types', { name, deleted: 0, created_at: toSqlTime(now) });
  await setVolumeTypeSpecs(sql, id, extraSpecs, now);
  return volumeTypeById(sql, id, String(id));
}

/** Soft-deletes a type; volumes that have it keep its number. */
export async function destroyVolumeType(sql: Sql, id: number, now: number): Promise<void> {
  const { updated_at: _kept, ...gone } = deletion(now);
  await sql('volume_types')
    .where({ ...alive, id })
    .update(gone);
  await sql('volume_type_extra_specs')
    .where({ ...alive, volume_type_id: id })
    .update(gone);
}

/** Sets extra specs and leaves the others. Run it in a transaction. */
export async function setVolumeTypeSpecs(
  sql: Sql,
  typeId: number,
  specs: Readonly<Record<string, string>>,
  now: number,
): Promise<void> {
  for (const [key, value] of Object.entries(specs)) {
    const changed = await sql('volume_type_extra_specs')
      .where({ ...alive, volume_type_id: typeId, key })
      .update({ value, updated_at: toSqlTime(now) });
    if (changed > 0) continue;
    const row = { volume_type_id: typeId, key, value, deleted: 0, created_at: toSqlTime(now) };
    await sql('volume_type_extra_specs').insert(row);
  }
}

/** Takes one extra spec away; false when there was none. */
export async function deleteVolumeTypeSpec(
  sql: Sql,
  typeId: number,
  key: string,
  now: number,
): Promise<boolean> {
  const { updated_at: _kept, ...gone } = deletion(now);
  return (
    (await sql('volume_type_extra_specs')
      .where({ ...alive, volume_type_id: typeId, key })
      .update(gone)) > 0
  );
}
