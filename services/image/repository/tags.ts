import type { Database } from '@folsom/db';
import { sqlTime } from './time.ts';

/** Tags of several images in one query, oldest first. Images without any are absent. */
export async function loadTags(db: Database, ids: readonly string[]): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>();
  if (ids.length === 0) return found;
  const rows = (await db
    .knex('image_tags')
    .select('image_id', 'value')
    .whereIn('image_id', [...ids])
    .where({ deleted: 0 })
    .orderBy('created_at')
    .orderBy('id')) as { image_id: string; value: string }[];
  for (const { image_id, value } of rows) {
    const tags = found.get(image_id);
    if (tags) tags.push(value);
    else found.set(image_id, [value]);
  }
  return found;
}

/** Makes the given tags the only ones. */
export async function setTags(
  db: Database,
  imageId: string,
  tags: readonly string[],
  now: number,
): Promise<void> {
  const time = sqlTime(db, now);
  await db.transaction(async trx => {
    const rows = (await trx('image_tags').select('value').where({ image_id: imageId, deleted: 0 })) as {
      value: string;
    }[];
    const present = new Set(rows.map(row => row.value));
    const wanted = new Set(tags);
    const gone = [...present].filter(value => !wanted.has(value));
    if (gone.length > 0) {
      await trx('image_tags')
        .where({ image_id: imageId, deleted: 0 })
        .whereIn('value', gone)
        .update({ deleted: 1, deleted_at: time, updated_at: time });
    }
    for (const value of wanted) {
      if (present.has(value)) continue;
      await trx('image_tags').insert({
        image_id: imageId,
        value,
        created_at: time,
        updated_at: time,
        deleted: 0,
      });
    }
  });
}

/** Adds one tag; nothing happens if the image has it. */
export async function addTag(db: Database, imageId: string, value: string, now: number): Promise<void> {
  const time = sqlTime(db, now);
  await db.transaction(async trx => {
    const present = await trx('image_tags').where({ image_id: imageId, value, deleted: 0 }).first();
    if (present) return;
    await trx('image_tags').insert({
      image_id: imageId,
      value,
      created_at: time,
      updated_at: time,
      deleted: 0,
    });
  });
}

/** Removes one tag. Resolves to false when the image does not have it. */
export async function removeTag(db: Database, imageId: string, value: string, now: number): Promise<boolean> {
  const time = sqlTime(db, now);
  const changed = await db
    .knex('image_tags')
    .where({ image_id: imageId, value, deleted: 0 })
    .update({ deleted: 1, deleted_at: time, updated_at: time });
  return changed > 0;
}
