import type { RequestContext } from '@folsom/core';
import { type Database, prepared } from '@folsom/db';
import type { Bus } from '@folsom/rpc';
import { computeContract } from './rpc/compute.ts';

const groupsOf = prepared(
  (sql, instanceUuid: string) =>
    sql('security_group_instance_association')
      .where({ instance_uuid: instanceUuid })
      .distinct('security_group_id as id') as PromiseLike<{ id: number }[]>,
);

/** Hosts with guests in a group that has a rule for one of these, with that group. */
const hostsConcerned = prepared((sql, groupIds: readonly number[]) =>
  sql('security_group_rules as rule')
    .join('security_group_instance_association as theirs', 'theirs.security_group_id', 'rule.parent_group_id')
    .join('instances as guest', 'guest.uuid', 'theirs.instance_uuid')
    .whereIn('rule.group_id', [...groupIds])
    .where({ 'rule.deleted': 0, 'theirs.deleted': 0, 'guest.deleted': 0 })
    .whereNotNull('guest.host')
    .distinct<{ host: string; group: number }[]>('guest.host as host', 'rule.parent_group_id as group'),
);

/** Tells the hosts concerned that an instance's addresses changed. */
export async function refreshMembersOfInstance(
  seam: { db: Database; bus: Bus },
  context: RequestContext,
  instanceUuid: string,
): Promise<void> {
  const groups = await groupsOf(seam.db.knex, instanceUuid);
  await refreshMembersOfGroups(
    seam,
    context,
    groups.map(group => group.id),
  );
}

/**
 * Tells the hosts concerned that the members of these groups changed: those with guests in a group that has a rule for
 * one of them. One query, and one message a host and group however many guests there are.
 */
export async function refreshMembersOfGroups(
  seam: { db: Database; bus: Bus },
  context: RequestContext,
  groupIds: readonly number[],
): Promise<void> {
  if (groupIds.length === 0) return;
  const rows = await hostsConcerned(seam.db.knex, groupIds);
  const client = computeContract.client(seam.bus);
  for (const row of rows) {
    await client.refresh_security_group_members(
      context,
      { security_group_id: row.group },
      { host: row.host },
    );
  }
}
