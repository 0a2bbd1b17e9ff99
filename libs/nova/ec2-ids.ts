import { type Database, toSqlTime } from '@folsom/db';

/** Numbers behind EC2's ids: one table for instances, one for images, kernels and ramdisks. */
async function numberOf(
  db: Database,
  table: 'instance_id_mappings' | 's3_images',
  uuid: string,
  now: number,
) {
  const find = async () =>
    (await db.knex(table).where({ uuid }).orderBy('id').first('id'))?.id as number | undefined;
  const present = await find();
  if (present !== undefined) return present;
  await db.knex(table).insert({ uuid, deleted: 0, created_at: toSqlTime(now) });
  // Two may have inserted at once: the first row counts for both.
  return (await find()) as number;
}

const hex = (prefix: string, id: number): string => `${prefix}-${id.toString(16).padStart(8, '0')}`;

/** `i-0000002f`; the number is given out at the first question. */
export const ec2InstanceId = async (db: Database, uuid: string, now: number): Promise<string> =>
  hex('i', await numberOf(db, 'instance_id_mappings', uuid, now));

/** `ami-00000007`, `aki-...`, `ari-...`. */
export const ec2ImageId = async (
  db: Database,
  kind: 'ami' | 'aki' | 'ari',
  uuid: string,
  now: number,
): Promise<string> => hex(kind, await numberOf(db, 's3_images', uuid, now));
