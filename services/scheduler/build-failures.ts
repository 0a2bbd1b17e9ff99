import type { Sql } from '@folsom/nova/rows';

/**
 * Why all builds of an instance so far failed, where they failed for one cause that its owner may read: a fault that
 * blames the request (4xx), whose text then is of our catalogue. Undefined otherwise.
 */
export async function commonCause(sql: Sql, uuid: string): Promise<string | undefined> {
  const rows = await sql('instance_faults')
    .where({ instance_uuid: uuid, deleted: 0 })
    .select<{ code: number; message: string; details: string | null }[]>('code', 'message', 'details');
  const [first, ...others] = rows;
  if (first === undefined || first.details === null || first.code < 400 || first.code >= 500)
    return undefined;
  const same = others.every(row => row.message === first.message && row.details === first.details);
  return same ? first.details : undefined;
}
