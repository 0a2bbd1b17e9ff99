import type { RequestContext } from '@folsom/core';
import type { Database } from '@folsom/db';
import type { Bus } from '@folsom/rpc';
import { computeContract } from './rpc/compute.ts';

/**
 * Tells the hosts concerned that an instance's addresses changed: those with guests in a group that has a rule for
 * one of the instance's groups. One query, and one message a host and group however many guests there are.
 */
export async function refreshMembersOfInstance(
  seam: { db: Database; bus: Bus },
  context: RequestContext,
  instanceUuid: string,
): Promise<void> {
  const rows = await seam.db
    .knex('security_group_instance_association as mine')
    .join('security_group_rules as rule', 'rule.group_id', 'mine.security_group_id')
    .join('security_group_instance_association as theirs', 'theirs.security_group_id', 'rule.parent_group_id')
    .join('instances as guest', 'guest.uuid', 'theirs.instance_uuid')
    .where('mine.instance_uuid', instanceUuid)
    .where({ 'rule.deleted': 0, 'theirs.deleted': 0, 'guest.deleted': 0 })
    .whereNotNull('guest.host')
    .distinct('guest.host as host', 'rule.parent_group_id as group');
  const client = computeContract.client(seam.bus);
  for (const row of rows) {
    await client.refresh_security_group_members(
      context,
      { security_group_id: row.group },
      { host: row.host },
    );
  }
}
