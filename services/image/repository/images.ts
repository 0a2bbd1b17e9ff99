import { type Database, isDuplicate } from '@folsom/db';
import type { Image, ImageStatus, ImageValues } from '../image.ts';
import { loadProperties, setProperties, softDeleteProperties } from './properties.ts';
import { type Executor, imageOf } from './rows.ts';
import { sqlTime } from './time.ts';

/** The image with its properties, or null. `withDeleted` also finds deleted ones. */
export async function findImage(
  db: Database,
  id: string,
  options: { withDeleted: boolean },
): Promise<Image | null> {
  return findWith(db.knex, id, options.withDeleted);
}

async function findWith(executor: Executor, id: string, withDeleted: boolean): Promise<Image | null> {
  const query = executor('images').where({ id }).first();
  if (!withDeleted) query.where({ deleted: 0 });
  const row = await query;
  if (!row) return null;
  return imageOf(row, (await loadProperties(executor, [id])).get(id));
}

/** Adds an image. Resolves to false when the id is taken, also by a deleted image. */
export async function insertImage(
  db: Database,
  id: string,
  values: ImageValues & { status: ImageStatus },
  properties: Record<string, string | null>,
  now: number,
): Promise<boolean> {
  const time = sqlTime(db, now);
  try {
    await db.transaction(async trx => {
      await trx('images').insert({
        size: null,
        min_disk: 0,
        min_ram: 0,
        ...columns(values),
        id,
        is_public: values.is_public ? 1 : 0,
        protected: values.protected ? 1 : 0,
        created_at: time,
        updated_at: time,
        deleted: 0,
      });
      await setProperties(trx, id, properties, { purge: false, now: time });
    });
    return true;
  } catch (error) {
    if (isDuplicate(error)) return false;
    throw error;
  }
}

export interface ImageChange {
  values?: ImageValues;
  /** Properties to add or overwrite. */
  properties?: Record<string, string | null>;
  /** Whether properties not named in `properties` go. */
  purgeProperties?: boolean;
  /** The change happens only from one of these states. */
  from?: readonly ImageStatus[];
  /** The change happens only while the image has no bytes. */
  withoutLocation?: boolean;
  /** The change may happen to a deleted image, too (the scrubber's last step). */
  deletedToo?: boolean;
}

/** Changes an image in one compare-and-set. Resolves to false when it is gone or not in the expected state. */
export async function updateImage(
  db: Database,
  id: string,
  change: ImageChange,
  now: number,
): Promise<boolean> {
  const time = sqlTime(db, now);
  return db.transaction(async trx => {
    const query = trx('images').where({ id });
    if (!change.deletedToo) query.where({ deleted: 0 });
    if (change.from) query.whereIn('status', [...change.from]);
    if (change.withoutLocation) query.whereNull('location');
    const changed = await query.update({ ...columns(change.values ?? {}), updated_at: time });
    if (changed === 0) return false;
    if (change.properties !== undefined || change.purgeProperties) {
      await setProperties(trx, id, change.properties ?? {}, {
        purge: change.purgeProperties ?? false,
        now: time,
      });
    }
    return true;
  });
}

/**
 * Marks an image, its properties and memberships deleted and gives it its last status. Resolves to the image as it was
 * before, or null when it is gone or a competitor deleted it first.
 */
export async function deleteImage(
  db: Database,
  id: string,
  change: { status?: ImageStatus; again?: boolean },
  now: number,
): Promise<Image | null> {
  const time = sqlTime(db, now);
  return db.transaction(async trx => {
    const before = await findWith(trx, id, change.again ?? false);
    if (!before) return null;
    const query = trx('images').where({ id });
    if (!change.again) query.where({ deleted: 0 });
    const changed = await query.update({
      deleted: 1,
      deleted_at: time,
      updated_at: time,
      ...(change.status ? { status: change.status } : {}),
    });
    if (changed === 0) return null;
    await softDeleteProperties(trx, id, time);
    await trx('image_members')
      .where({ image_id: id, deleted: 0 })
      .update({ deleted: 1, deleted_at: time, updated_at: time });
    return before;
  });
}

/** Images in one of these states, oldest first; for recovery and the scrubber. */
export async function imagesInStatus(
  db: Database,
  statuses: readonly ImageStatus[],
  options: { withDeleted: boolean; limit: number },
): Promise<Image[]> {
  const query = db.knex('images').whereIn('status', [...statuses]);
  if (!options.withDeleted) query.where({ deleted: 0 });
  const rows = await query.orderBy('created_at').limit(options.limit);
  return rows.map(row => imageOf(row));
}

const BOOLEANS = new Set(['is_public', 'protected']);

function columns(values: ImageValues): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined) continue;
    out[name] = BOOLEANS.has(name) ? (value ? 1 : 0) : value;
  }
  return out;
}
