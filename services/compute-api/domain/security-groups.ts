import type { RequestContext } from '@folsom/core';
import { must } from '@folsom/core';
import { novaFault } from '@folsom/nova/faults';
import { withLock, withQuota } from '@folsom/nova/quota-lock';
import {
  createSecurityGroup,
  deleteSecurityGroup,
  listSecurityGroups,
  rulesOfGroups,
  type SecurityGroupRow,
  type SecurityGroupRuleRow,
  securityGroupById,
  securityGroupInUse,
  securityGroupsByIds,
  securityGroupsByNames,
} from '@folsom/nova/security-groups';
import type { Deps } from './deps.ts';
import { computeFault } from './faults.ts';
import { getInstance } from './instances.ts';
import { visibleProject } from './policy.ts';
import { rowId } from './values.ts';

export const projectOf = (context: RequestContext): string => context.projectId ?? '';

/** A rule with the group that it lets in. */
export interface RuleDetails extends SecurityGroupRuleRow {
  source: Pick<SecurityGroupRow, 'name' | 'project_id'> | null;
}

export interface GroupDetails extends SecurityGroupRow {
  rules: RuleDetails[];
}

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

export interface GroupQuery {
  /** Everybody's, for administrators who ask for it. */
  allTenants?: boolean;
  offset?: number;
  limit?: number;
}

/** A page of the tenant's groups with their rules. */
export async function pageOfGroups(
  deps: Deps,
  context: RequestContext,
  { allTenants = false, offset = 0, limit }: GroupQuery = {},
): Promise<GroupDetails[]> {
  await ensureDefaultGroup(deps, context);
  const project = context.isAdmin && allTenants ? null : projectOf(context);
  const groups = await listSecurityGroups(deps.db.knex, project);
  const page = groups.slice(offset, limit === undefined ? undefined : offset + limit);
  return groupDetails(deps, page);
}

/** The tenant's groups of these names and ids; administrators find everybody's by id. @throws as {@link groupById}, `SecurityGroupNotFoundForProject` */
export async function namedGroups(
  deps: Deps,
  context: RequestContext,
  names: readonly string[],
  ids: readonly string[],
): Promise<GroupDetails[]> {
  await ensureDefaultGroup(deps, context);
  const found = await securityGroupsByNames(deps.db.knex, projectOf(context), [...new Set(names)]);
  const groups = names.map(name => {
    const group = found.get(name);
    if (group) return group;
    throw novaFault('SecurityGroupNotFoundForProject', {
      security_group_id: name,
      project_id: projectOf(context),
    });
  });
  for (const id of new Set(ids)) groups.push(await groupById(deps, context, id));
  return groupDetails(deps, groups);
}

/** Those that a server belongs to. @throws Fault `InstanceNotFound` */
export async function groupsOfServer(
  deps: Deps,
  context: RequestContext,
  serverId: string,
): Promise<GroupDetails[]> {
  await ensureDefaultGroup(deps, context);
  return groupDetails(deps, (await getInstance(deps, context, serverId)).security_groups);
}

/** By id, within the tenant for users. @throws Fault `SecurityGroupNotFound`, `InvalidSecurityGroupId` */
async function groupById(deps: Deps, context: RequestContext, id: string): Promise<SecurityGroupRow> {
  const row = rowId(id);
  if (row === undefined) throw computeFault('InvalidSecurityGroupId');
  await ensureDefaultGroup(deps, context);
  return securityGroupById(deps.db.knex, row, visibleProject(context));
}

const NAME_CHARS_MAX = 255;

/** By id, or the tenant's own by a name that is no number: today's clients send one. @throws as {@link groupById} */
export async function groupByIdOrName(
  deps: Deps,
  context: RequestContext,
  id: string,
): Promise<SecurityGroupRow> {
  if (!/^\s*[+-]?\d+\s*$/.test(id) && id.length <= NAME_CHARS_MAX) {
    await ensureDefaultGroup(deps, context);
    const named = (await securityGroupsByNames(deps.db.knex, projectOf(context), [id])).get(id);
    if (named) return named;
  }
  return groupById(deps, context, id);
}

/** The same with its rules. */
export async function getGroup(deps: Deps, context: RequestContext, id: string): Promise<GroupDetails> {
  const [group] = await groupDetails(deps, [await groupByIdOrName(deps, context, id)]);
  return must(group, 'group is there');
}

/** @throws Fault `SecurityGroupExists`, `OverQuota` */
export async function createGroup(
  deps: Deps,
  context: RequestContext,
  name: string,
  description: string,
): Promise<GroupDetails> {
  await ensureDefaultGroup(deps, context);
  const projectId = projectOf(context);
  const now = deps.clock.now();
  const delta = { security_groups: 1 };
  const made = await withQuota(deps.db, projectId, deps.quotaDefaults, delta, now, async trx => {
    if ((await securityGroupsByNames(trx, projectId, [name])).has(name)) {
      throw computeFault('SecurityGroupExists', { name });
    }
    return createSecurityGroup(trx, { name, description, userId: context.userId ?? '', projectId }, now);
  });
  return { ...made, rules: [] };
}

/** @throws Fault `SecurityGroupNotFound`, `SecurityGroupInUse` while a server belongs to it */
export async function deleteGroup(deps: Deps, context: RequestContext, id: string): Promise<void> {
  const group = await groupById(deps, context, id);
  await withLock(deps.db, group.project_id, async trx => {
    if (await securityGroupInUse(trx, group.id)) throw computeFault('SecurityGroupInUse');
    await deleteSecurityGroup(trx, group.id, deps.clock.now());
  });
}

/** Groups with their rules, by tenant and name: one query a table for all of them. */
async function groupDetails(deps: Deps, groups: readonly SecurityGroupRow[]): Promise<GroupDetails[]> {
  const ids = groups.map(group => group.id);
  const byGroup = await rulesOfGroups(deps.db.knex, ids);
  const detailed = await withSources(deps, [...byGroup.values()].flat());
  const byId = new Map(detailed.map(rule => [rule.id, rule]));
  const key = (group: SecurityGroupRow) => `${group.project_id}\u0000${group.name}`;
  return groups
    .map(group => ({
      ...group,
      rules: (byGroup.get(group.id) ?? []).map(rule => must(byId.get(rule.id), 'byId has rule.id')),
    }))
    .sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

/** Rules with the groups that they point to: one query for all of them. */
export async function withSources(
  deps: Deps,
  rules: readonly SecurityGroupRuleRow[],
): Promise<RuleDetails[]> {
  const ids = new Set(rules.map(rule => rule.group_id).filter(id => id !== null));
  const sources = await securityGroupsByIds(deps.db.knex, [...ids]);
  return rules.map(rule => ({
    ...rule,
    source: rule.group_id === null ? null : (sources.get(rule.group_id) ?? null),
  }));
}
