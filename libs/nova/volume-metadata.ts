import { inBatches, toSqlTime } from '@folsom/db';
import { alive, deletion, groupBy, type Sql } from './rows.ts';

interface Item {
  id: number;
  volume_id: string;
  key: string;
  value: string | null;
}

/** Keys of a volume and their texts; clients of 2012 send null for a key that was given without one. */
export type VolumeMetadata = Record<string, string | null>;

/** Metadata of many volumes in one query, by id; volumes without any are missing. */
export async function metadataOfVolumes(
  sql: Sql,
  ids: readonly string[],
): Promise<Map<string, VolumeMetadata>> {
  const rows = (await inBatches(ids, batch =>
    sql('volume_metadata').where(alive).whereIn('volume_id', batch).orderBy('id'),
  )) as Item[];
  return new Map(
    [...groupBy(rows, row => row.volume_id)].map(([id, items]) => [
      id,
      Object.fromEntries(items.map(item => [item.key, item.value])),
    ]),
  );
}

/** Makes the metadata exactly this. Run it in a transaction. */
export async function replaceVolumeMetadata(
  sql: Sql,
  volumeId: string,
  wanted: Readonly<VolumeMetadata>,
  now: number,
): Promise<void> {
  const present = (await sql('volume_metadata')
    .where({ ...alive, volume_id: volumeId })
    .select('id', 'key', 'value')) as Item[];
  const gone = present
    .filter(item => !Object.hasOwn(wanted, item.key) || wanted[item.key] !== item.value)
    .map(item => item.id);
  if (gone.length > 0) await sql('volume_metadata').whereIn('id', gone).update(deletion(now));
  const kept = new Set(present.filter(item => !gone.includes(item.id)).map(item => item.key));
  const added = Object.entries(wanted).filter(([key]) => !kept.has(key));
  if (added.length === 0) return;
  await sql('volume_metadata').insert(
    added.map(([key, value]) => ({
      volume_id: volumeId,
      key,
      value,
      deleted: 0,
      created_at: toSqlTime(now),
    })),
  );
}
