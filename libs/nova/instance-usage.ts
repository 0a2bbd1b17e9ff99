import { toSqlTime } from '@folsom/db';
import { type InstanceRow, instanceFrom } from './instances.ts';
import { alive, groupBy, type Sql } from './rows.ts';

/**
 * Instances that ran at some time between `begin` and `end` (milliseconds), deleted ones among them; of one tenant or of
 * all. For usage reports.
 */
export async function instancesActiveBetween(
  sql: Sql,
  begin: number,
  end: number,
  projectId?: string,
): Promise<InstanceRow[]> {
  const query = sql('instances')
    .where(where => void where.whereNull('terminated_at').orWhere('terminated_at', '>', toSqlTime(begin)))
    .where('launched_at', '<', toSqlTime(end))
    .orderBy('id');
  if (projectId !== undefined) query.where({ project_id: projectId });
  return (await query).map(instanceFrom);
}

/** The instances of several hosts by host: one query. */
export async function instancesOnHosts(
  sql: Sql,
  hosts: readonly string[],
): Promise<Map<string | null, InstanceRow[]>> {
  if (hosts.length === 0) return new Map();
  const raws = await sql('instances').where(alive).whereIn('host', hosts).orderBy('id');
  return groupBy(raws.map(instanceFrom), row => row.host);
}
