import type { Executor } from './rows.ts';

/** Properties of several images in one query. Images without any are absent. */
export async function loadProperties(
  executor: Executor,
  ids: readonly string[],
): Promise<Map<string, Record<string, string | null>>> {
  const found = new Map<string, Record<string, string | null>>();
  if (ids.length === 0) return found;
  const rows = (await executor('image_properties')
    .select('image_id', 'name', 'value')
    .whereIn('image_id', [...ids])
    .where({ deleted: 0 })) as { image_id: string; name: string; value: string | null }[];
  for (const { image_id, name, value } of rows) {
    const properties = found.get(image_id) ?? (Object.create(null) as Record<string, string | null>);
    properties[name] = value;
    found.set(image_id, properties);
  }
  return found;
}

/**
 * Adds and overwrites properties; with `purge` the others are marked deleted. A name that was deleted before is revived:
 * (image, name) is unique whether deleted or not.
 */
export async function setProperties(
  executor: Executor,
  imageId: string,
  properties: Record<string, string | null>,
  options: { purge: boolean; now: string },
): Promise<void> {
  const names = Object.keys(properties);
  const known = (await executor('image_properties')
    .select('id', 'name', 'deleted')
    .where({ image_id: imageId })) as { id: number; name: string; deleted: unknown }[];
  const byName = new Map(known.map(row => [row.name, row]));
  const fresh: Record<string, unknown>[] = [];
  for (const name of names) {
    const row = byName.get(name);
    const value = properties[name] ?? null;
    if (row) {
      await executor('image_properties')
        .where({ id: row.id })
        .update({ value, deleted: 0, deleted_at: null, updated_at: options.now });
    } else {
      fresh.push({
        image_id: imageId,
        name,
        value,
        created_at: options.now,
        updated_at: options.now,
        deleted: 0,
      });
    }
  }
  // SQLite bounds the number of values in one statement.
  for (let at = 0; at < fresh.length; at += 100) {
    await executor('image_properties').insert(fresh.slice(at, at + 100));
  }
  if (options.purge) {
    const gone = known.filter(row => Number(row.deleted) === 0 && !(row.name in properties));
    if (gone.length > 0) {
      await executor('image_properties')
        .whereIn(
          'id',
          gone.map(row => row.id),
        )
        .update({ deleted: 1, deleted_at: options.now, updated_at: options.now });
    }
  }
}

export async function softDeleteProperties(executor: Executor, imageId: string, now: string): Promise<void> {
  await executor('image_properties')
    .where({ image_id: imageId, deleted: 0 })
    .update({ deleted: 1, deleted_at: now, updated_at: now });
}
