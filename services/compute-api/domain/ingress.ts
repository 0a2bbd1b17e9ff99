import type { RequestContext } from '@folsom/core';
import { novaFault } from '@folsom/nova/faults';
import { withLock } from '@folsom/nova/quota-lock';
import {
  createRule,
  deleteRule,
  type NewRule,
  rulesOfGroups,
  type SecurityGroupRow,
  securityGroupByName,
} from '@folsom/nova/security-groups';
import type { Deps } from './deps.ts';
import { computeFault } from './faults.ts';
import { limitsFor } from './quota-checks.ts';
import { refreshGroup, sameRule } from './security-group-rules.ts';
import { projectOf } from './security-groups.ts';
import { type RuleRequest, ruleOf } from './security-rules.ts';

/** Who is let in: an address range, or the members of a group by its tenant and name. */
export interface IngressRequest extends Omit<RuleRequest, 'groupId'> {
  source: { projectId: string | undefined; name: string } | undefined;
}

/** Rules of one request for a group, of which all are added or none. */
export type Permissions = readonly IngressRequest[];

const RULES_MAX = 1_000;

/**
 * Adds rules to a group and tells the hosts that they concern.
 *
 * @throws Fault `SecurityGroupRuleIncomplete`, `SecurityGroupRuleExists` with the rule, `SecurityGroupLimitExceeded`,
 * `SecurityGroupNotFoundForProject` for a source, and what {@link ruleOf} throws
 */
export async function authorizeIngress(
  deps: Deps,
  context: RequestContext,
  group: Pick<SecurityGroupRow, 'id' | 'project_id'>,
  permissions: Permissions,
): Promise<void> {
  const rules = await rulesFor(deps, context, permissions);
  const limits = await limitsFor(deps, context);
  await withLock(deps.db, group.project_id, async trx => {
    const present: Omit<NewRule, 'parent_group_id'>[] =
      (await rulesOfGroups(trx, [group.id])).get(group.id) ?? [];
    const all = [...present];
    for (const rule of rules) {
      if (all.some(other => sameRule(other, rule))) {
        throw computeFault('SecurityGroupRuleExists', { group_id: group.id, rule });
      }
      all.push(rule);
    }
    if (limits.security_group_rules >= 0 && all.length > limits.security_group_rules) {
      throw novaFault('SecurityGroupLimitExceeded');
    }
    for (const rule of rules) await createRule(trx, { ...rule, parent_group_id: group.id }, deps.clock.now());
  });
  await refreshGroup(deps, context, group.id);
}

/** Takes rules away; false where the group has none of them. @throws as {@link authorizeIngress} */
export async function revokeIngress(
  deps: Deps,
  context: RequestContext,
  group: Pick<SecurityGroupRow, 'id' | 'project_id'>,
  permissions: Permissions,
): Promise<boolean> {
  const rules = await rulesFor(deps, context, permissions);
  const gone = await withLock(deps.db, group.project_id, async trx => {
    const present = (await rulesOfGroups(trx, [group.id])).get(group.id) ?? [];
    const ids = present.filter(one => rules.some(rule => sameRule(one, rule))).map(one => one.id);
    for (const id of ids) await deleteRule(trx, id, deps.clock.now());
    return ids.length;
  });
  if (gone > 0) await refreshGroup(deps, context, group.id);
  return gone > 0;
}

async function rulesFor(deps: Deps, context: RequestContext, permissions: Permissions) {
  if (permissions.length > RULES_MAX) throw novaFault('SecurityGroupLimitExceeded');
  const rules: Omit<NewRule, 'parent_group_id'>[] = [];
  for (const { source, ...request } of permissions) {
    const from =
      source &&
      (await securityGroupByName(deps.db.knex, source.projectId ?? projectOf(context), source.name));
    const rule = ruleOf({ ...request, groupId: from?.id });
    if (!rule) throw computeFault('SecurityGroupRuleIncomplete');
    rules.push(rule);
  }
  return rules;
}
