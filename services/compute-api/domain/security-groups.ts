import { elevated, type RequestContext } from '@folsom/core';
import { novaFault } from '@folsom/nova/faults';
import type { InstanceRecord } from '@folsom/nova/instance-records';
import { powerState } from '@folsom/nova/instance-state';
import { withLock, withQuota } from '@folsom/nova/quota-lock';
import { refreshMembersOfGroups } from '@folsom/nova/security-group-members';
import {
  associateGroup,
  createRule,
  createSecurityGroup,
  deleteRule,
  deleteSecurityGroup,
  dissociateGroup,
  hostsOfGroups,
  listSecurityGroups,
  type NewRule,
  ruleById,
  rulesOfGroups,
  type SecurityGroupRow,
  type SecurityGroupRuleRow,
  securityGroupById,
  securityGroupByName,
  securityGroupInUse,
  securityGroupsByNames,
} from '@folsom/nova/security-groups';
import type { Deps } from './deps.ts';
import { computeFault } from './faults.ts';
import { targetOf } from './instances.ts';
import { authorize, visibleProject } from './policy.ts';
import { limitsFor } from './quota-checks.ts';

const projectOf = (context: RequestContext): string => context.projectId ?? '';

/** Every tenant has a group `default`; it is made when somebody first looks. */
export async function ensureDefaultGroup(deps: Deps, context: RequestContext): Promise<void> {
  const projectId = projectOf(context);
  if ((await securityGroupsByNames(deps.db.knex, projectId, ['default'])).has('default')) return;
  await withLock(deps.db, projectId, async trx => {
    if ((await securityGroupsByNames(trx, projectId, ['default'])).has('default')) return;
    const group = { name: 'default', description: 'default', userId: context.userId ?? '', projectId };
    await createSecurityGroup(trx, group, deps.clock.now());
  });
}

/** The tenant's groups, or everybody's for administrators who ask for it. */
export async function groupsFor(
  deps: Deps,
  context: RequestContext,
  allTenants: boolean,
): Promise<SecurityGroupRow[]> {
  await ensureDefaultGroup(deps, context);
  return listSecurityGroups(deps.db.knex, context.isAdmin && allTenants ? null : projectOf(context));
}

/** By id, within the tenant for users. @throws Fault `SecurityGroupNotFound` */
export async function getGroup(deps: Deps, context: RequestContext, id: number): Promise<SecurityGroupRow> {
  await ensureDefaultGroup(deps, context);
  return securityGroupById(deps.db.knex, id, visibleProject(context));
}

/** The tenant's own group of that name, or undefined. */
export async function ownGroupNamed(
  deps: Deps,
  context: RequestContext,
  name: string,
): Promise<SecurityGroupRow | undefined> {
  await ensureDefaultGroup(deps, context);
  const projectId = projectOf(context);
  return (await securityGroupsByNames(deps.db.knex, projectId, [name])).get(name);
}

/** @throws Fault `SecurityGroupExists`, `OverQuota` */
export async function createGroup(
  deps: Deps,
  context: RequestContext,
  name: string,
  description: string,
): Promise<SecurityGroupRow> {
  await ensureDefaultGroup(deps, context);
  const projectId = projectOf(context);
  return withQuota(
    deps.db,
    projectId,
    deps.quotaDefaults,
    { security_groups: 1 },
    deps.clock.now(),
    async trx => {
      if ((await securityGroupsByNames(trx, projectId, [name])).has(name)) {
        throw computeFault('SecurityGroupExists', { name });
      }
      return createSecurityGroup(
        trx,
        { name, description, userId: context.userId ?? '', projectId },
        deps.clock.now(),
      );
    },
  );
}

/** @throws Fault `SecurityGroupInUse` while a server belongs to it */
export async function destroyGroup(deps: Deps, group: SecurityGroupRow): Promise<void> {
  await withLock(deps.db, group.project_id, async trx => {
    if (await securityGroupInUse(trx, group.id)) throw computeFault('SecurityGroupInUse');
    await deleteSecurityGroup(trx, group.id, deps.clock.now());
  });
}

/**
 * Adds a rule and tells the hosts it concerns. A thousand adds at the same moment never pass the quota.
 *
 * @throws Fault `SecurityGroupRuleExists`, `SecurityGroupLimitExceeded`
 */
export async function addRule(
  deps: Deps,
  context: RequestContext,
  group: SecurityGroupRow,
  rule: Omit<NewRule, 'parent_group_id'>,
): Promise<SecurityGroupRuleRow> {
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
  return made;
}

const sameRule = (a: Omit<NewRule, 'parent_group_id'>, b: Omit<NewRule, 'parent_group_id'>): boolean =>
  a.protocol === b.protocol &&
  a.from_port === b.from_port &&
  a.to_port === b.to_port &&
  a.cidr === b.cidr &&
  a.group_id === b.group_id;

/** @throws Fault `SecurityGroupRuleNotFound` */
export async function removeRule(deps: Deps, context: RequestContext, id: number): Promise<void> {
  await ensureDefaultGroup(deps, context);
  const rule = await ruleById(deps.db.knex, id).catch(() => {
    throw computeFault('SecurityGroupRuleNotFound', { rule_id: id });
  });
  const group = await securityGroupById(deps.db.knex, rule.parent_group_id, visibleProject(context));
  await deleteRule(deps.db.knex, id, deps.clock.now());
  await refreshGroup(deps, context, group.id);
}

/** One message for each host that runs a member, however many members it runs. */
async function refreshGroup(deps: Deps, context: RequestContext, groupId: number): Promise<void> {
  const admin = elevated(context);
  for (const host of await hostsOfGroups(deps.db.knex, [groupId])) {
    await deps.compute.refresh_security_group_rules(admin, { security_group_id: groupId }, { host });
  }
}

/** @throws Fault `SecurityGroupNotFoundForProject`, `SecurityGroupExistsForInstance`, `InstanceNotRunning` */
export async function addToInstance(
  deps: Deps,
  context: RequestContext,
  instance: InstanceRecord,
  name: string,
): Promise<void> {
  authorize(deps, context, 'compute:security_groups:add_to_instance', targetOf(instance));
  const group = await securityGroupByName(deps.db.knex, projectOf(context), name);
  if (instance.security_groups.some(other => other.id === group.id)) {
    throw novaFault('SecurityGroupExistsForInstance', {
      security_group_id: group.id,
      instance_id: instance.uuid,
    });
  }
  mustRun(instance);
  await associateGroup(deps.db.knex, instance.uuid, group.id, deps.clock.now());
  await refreshOn(deps, context, group.id, instance.host);
}

/** @throws Fault `SecurityGroupNotFoundForProject`, `SecurityGroupNotExistsForInstance`, `InstanceNotRunning` */
export async function removeFromInstance(
  deps: Deps,
  context: RequestContext,
  instance: InstanceRecord,
  name: string,
): Promise<void> {
  authorize(deps, context, 'compute:security_groups:remove_from_instance', targetOf(instance));
  const group = await securityGroupByName(deps.db.knex, projectOf(context), name);
  const missing = () =>
    novaFault('SecurityGroupNotExistsForInstance', {
      security_group_id: group.id,
      instance_id: instance.uuid,
    });
  if (!instance.security_groups.some(other => other.id === group.id)) throw missing();
  mustRun(instance);
  if (!(await dissociateGroup(deps.db.knex, instance.uuid, group.id, deps.clock.now()))) throw missing();
  await refreshOn(deps, context, group.id, instance.host);
}

function mustRun(instance: InstanceRecord): void {
  if (instance.power_state !== powerState.running) {
    throw novaFault('InstanceNotRunning', { instance_id: instance.uuid });
  }
}

/** An instance joined or left a group: its own host, and those of guests that let the group's members in. */
async function refreshOn(deps: Deps, context: RequestContext, groupId: number, host: string | null) {
  const admin = elevated(context);
  if (host !== null)
    await deps.compute.refresh_security_group_rules(admin, { security_group_id: groupId }, { host });
  await refreshMembersOfGroups(deps, admin, [groupId]);
}
