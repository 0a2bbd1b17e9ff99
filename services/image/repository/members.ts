import type { Database } from '@folsom/db';
import type { Member } from '../image.ts';
import type { Viewer } from './listing.ts';
import { memberOf } from './rows.ts';
import { sqlTime } from './time.ts';

/** Memberships of an image in the order they were made. */
export async function membersOfImage(db: Database, imageId: string): Promise<Member[]> {
  const rows = await db.knex('image_members').where({ image_id: imageId, deleted: 0 }).orderBy('id');
  return rows.map(memberOf);
}

/**
 * Memberships of a tenant in the order they were made, as far as they concern the viewer: his own, and others' in his own
 * images. Administrators see all.
 */
export async function membershipsOf(db: Database, member: string, viewer: Viewer): Promise<Member[]> {
  if (!viewer.isAdmin && viewer.owner === null) return [];
  const query = db.knex('image_members').where({ member, deleted: 0 }).orderBy('id');
  if (!viewer.isAdmin && viewer.owner !== member) {
    query.whereIn('image_id', db.knex('images').where({ owner: viewer.owner, deleted: 0 }).select('id'));
  }
  return (await query).map(memberOf);
}

export async function findMembership(
  db: Database,
  imageId: string,
  member: string,
): Promise<Member | undefined> {
  const row = await db.knex('image_members').where({ image_id: imageId, member, deleted: 0 }).first();
  return row ? memberOf(row) : undefined;
}

/** Shares an image with a tenant, or changes how. `canShare` undefined keeps what is and defaults to false. */
export async function setMembership(
  db: Database,
  imageId: string,
  member: string,
  canShare: boolean | undefined,
  now: number,
): Promise<void> {
  await db.transaction(trx => upsert(trx, imageId, member, canShare, sqlTime(db, now)));
}

type Transaction = Parameters<Parameters<Database['transaction']>[0]>[0];

async function upsert(
  trx: Transaction,
  imageId: string,
  member: string,
  canShare: boolean | undefined,
  time: string,
): Promise<void> {
  const row = (await trx('image_members').where({ image_id: imageId, member }).first()) as
    | { id: number; deleted: unknown }
    | undefined;
  if (!row) {
    await trx('image_members').insert({
      image_id: imageId,
      member,
      can_share: canShare ? 1 : 0,
      created_at: time,
      updated_at: time,
      deleted: 0,
    });
    return;
  }
  const revived = Number(row.deleted) !== 0;
  if (!revived && canShare === undefined) return;
  await trx('image_members')
    .where({ id: row.id })
    .update({ can_share: canShare ? 1 : 0, deleted: 0, deleted_at: null, updated_at: time });
}

/** Makes the given memberships the only ones. */
export async function replaceMemberships(
  db: Database,
  imageId: string,
  wanted: readonly { member: string; canShare: boolean | undefined }[],
  now: number,
): Promise<void> {
  const time = sqlTime(db, now);
  await db.transaction(async trx => {
    await trx('image_members')
      .where({ image_id: imageId, deleted: 0 })
      .whereNotIn(
        'member',
        wanted.map(item => item.member),
      )
      .update({ deleted: 1, deleted_at: time, updated_at: time });
    for (const { member, canShare } of wanted) await upsert(trx, imageId, member, canShare, time);
  });
}

/** Ends a membership. Resolves to false when there is none. */
export async function deleteMembership(
  db: Database,
  imageId: string,
  member: string,
  now: number,
): Promise<boolean> {
  const time = sqlTime(db, now);
  const changed = await db
    .knex('image_members')
    .where({ image_id: imageId, member, deleted: 0 })
    .update({ deleted: 1, deleted_at: time, updated_at: time });
  return changed > 0;
}
