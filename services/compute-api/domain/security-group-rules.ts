import { elevated, isFault, must, type RequestContext } from '@folsom/core';
import { novaFault } from '@folsom/nova/faults';
import { withLock } from '@folsom/nova/quota-lock';
import {
  createRule,
  deleteRule,
  hostsOfGroups,
  type NewRule,
  ruleById,
  rulesOfGroups,
  type SecurityGroupRow,
  securityGroupById,
} from '@folsom/nova/security-groups';
import type { Deps } from './deps.ts';
import { computeFault } from './faults.ts';
import { visibleProject } from './policy.ts';
import { limitsFor } from './quota-checks.ts';
import { ensureDefaultGroup, groupByIdOrName, type RuleDetails, withSources } from './security-groups.ts';
import { type RuleRequest, ruleOf } from './security-rules.ts';
import { rowId } from './values.ts';

/** A rule for a group, which is named by its id or name; so is the group that it lets in, if it lets one in. */
export interface GroupRuleRequest extends Omit<RuleRequest, 'groupId'> {
  parent: string;
  source: string | undefined;
}

/**
 * Adds a rule and tells the hosts it concerns. A thousand adds at the same moment never pass the quota.
 *
 * @throws Fault `SecurityGroupNotFound`, `SourceGroupNotFound`, `SecurityGroupRuleIncomplete`, `SecurityGroupRuleExists`,
 * `SecurityGroupLimitExceeded`, and what {@link ruleOf} throws
 */
export async function addRule(
  deps: Deps,
  context: RequestContext,
  { parent, source, ...request }: GroupRuleRequest,
): Promise<RuleDetails> {
  const group = await groupByIdOrName(deps, context, parent);
  const from = source === undefined ? undefined : await sourceGroup(deps, context, source);
  const rule = ruleOf({ ...request, groupId: from?.id });
  if (!rule) throw computeFault('SecurityGroupRuleIncomplete');
  const limits = await limitsFor(deps, context);
  const made = await withLock(deps.db, group.project_id, async trx => {
    const rules = (await rulesOfGroups(trx, [group.id])).get(group.id) ?? [];
    if (rules.some(other => sameRule(other, rule))) {
      throw computeFault('SecurityGroupRuleExists', { group_id: group.id });
    }
    if (limits.security_group_rules >= 0 && rules.length >= limits.security_group_rules) {
      throw novaFault('SecurityGroupLimitExceeded');
    }
    return createRule(trx, { ...rule, parent_group_id: group.id }, deps.clock.now());
  });
  await refreshGroup(deps, context, group.id);
  return must((await withSources(deps, [made]))[0], 'withSources is not empty');
}

async function sourceGroup(deps: Deps, context: RequestContext, id: string): Promise<SecurityGroupRow> {
  try {
    return await groupByIdOrName(deps, context, id);
  } catch (error) {
    throw isFault(error, 'SecurityGroupNotFound')
      ? computeFault('SourceGroupNotFound', { security_group_id: id })
      : error;
  }
}

/** Whether two rules let the same in. */
export const sameRule = (a: Omit<NewRule, 'parent_group_id'>, b: Omit<NewRule, 'parent_group_id'>): boolean =>
  a.protocol === b.protocol &&
  a.from_port === b.from_port &&
  a.to_port === b.to_port &&
  a.cidr === b.cidr &&
  a.group_id === b.group_id;

/** @throws Fault `InvalidSecurityGroupId`, `SecurityGroupRuleNotFound`, `SecurityGroupNotFound` */
export async function removeRule(deps: Deps, context: RequestContext, id: string): Promise<void> {
  const row = rowId(id);
  if (row === undefined) throw computeFault('InvalidSecurityGroupId');
  await ensureDefaultGroup(deps, context);
  const rule = await ruleById(deps.db.knex, row).catch(() => {
    throw computeFault('SecurityGroupRuleNotFound', { rule_id: row });
  });
  const group = await securityGroupById(deps.db.knex, rule.parent_group_id, visibleProject(context));
  await deleteRule(deps.db.knex, row, deps.clock.now());
  await refreshGroup(deps, context, group.id);
}

/** One message for each host that runs a member, however many members it runs. */
export async function refreshGroup(deps: Deps, context: RequestContext, groupId: number): Promise<void> {
  const admin = elevated(context);
  for (const host of await hostsOfGroups(deps.db.knex, [groupId])) {
    await deps.compute.refresh_security_group_rules(admin, { security_group_id: groupId }, { host });
  }
}
