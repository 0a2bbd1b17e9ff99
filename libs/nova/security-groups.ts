import { prepared, type RowOf, toSqlTime, whereListed } from '@folsom/db';
import { novaFault } from './faults.ts';
import { alive, columns, deletion, fromRow, groupBy, type RowBase, type Sql, wireBase } from './rows.ts';
import type { SecurityGroupRuleWire, SecurityGroupWire } from './rpc/wire.ts';

export interface SecurityGroupRow extends RowBase {
  id: number;
  name: string;
  description: string;
  user_id: string;
  project_id: string;
}

export interface SecurityGroupRuleRow extends RowBase {
  id: number;
  parent_group_id: number;
  /** `tcp`, `udp`, `icmp` or null for any. */
  protocol: string | null;
  from_port: number | null;
  to_port: number | null;
  /** Set unless the rule names a source group. */
  cidr: string | null;
  /** Source group; null for rules by address. */
  group_id: number | null;
}

const spec = columns();
type Raw = RowOf<'security_groups'>;
const groupFrom = (raw: Raw) => fromRow<SecurityGroupRow>(spec, raw);
const ruleFrom = (raw: RowOf<'security_group_rules'>) => fromRow<SecurityGroupRuleRow>(spec, raw);

export async function listSecurityGroups(sql: Sql, projectId: string | null): Promise<SecurityGroupRow[]> {
  const query = sql('security_groups').where(alive).orderBy('id');
  if (projectId !== null) query.where('project_id', projectId);
  return (await query).map(groupFrom);
}

/** By id, within the tenant unless `projectId` is null (administrators). @throws Fault `SecurityGroupNotFound` */
export async function securityGroupById(
  sql: Sql,
  id: number,
  projectId: string | null,
): Promise<SecurityGroupRow> {
  const query = sql('security_groups').where({ ...alive, id });
  if (projectId !== null) query.where('project_id', projectId);
  const raw = await query.first();
  if (!raw) throw novaFault('SecurityGroupNotFound', { security_group_id: id });
  return groupFrom(raw);
}

/** Groups of every tenant by id. */
export async function securityGroupsByIds(
  sql: Sql,
  ids: readonly number[],
): Promise<Map<number, SecurityGroupRow>> {
  if (ids.length === 0) return new Map();
  const rows = await sql('security_groups')
    .where(alive)
    .whereIn('id', [...ids]);
  return new Map(rows.map(raw => [raw.id, groupFrom(raw)]));
}

/** The tenant's groups of these names, by name. */
export async function securityGroupsByNames(
  sql: Sql,
  projectId: string,
  names: readonly string[],
): Promise<Map<string, SecurityGroupRow>> {
  if (names.length === 0) return new Map();
  const rows = await groupsNamed(sql, projectId, names);
  return new Map(rows.map(groupFrom).map(group => [group.name, group]));
}
const groupsNamed = prepared((sql, projectId: string, names: readonly string[]) =>
  sql('security_groups')
    .where({ ...alive, project_id: projectId })
    .whereIn('name', [...names]),
);

/** @throws Fault `SecurityGroupNotFoundForProject` */
export async function securityGroupByName(
  sql: Sql,
  projectId: string,
  name: string,
): Promise<SecurityGroupRow> {
  const group = (await securityGroupsByNames(sql, projectId, [name])).get(name);
  if (!group) {
    throw novaFault('SecurityGroupNotFoundForProject', { security_group_id: name, project_id: projectId });
  }
  return group;
}

/** Call inside a transaction that holds the tenant's quota. */
export async function createSecurityGroup(
  sql: Sql,
  group: { name: string; description: string; userId: string; projectId: string },
  now: number,
): Promise<SecurityGroupRow> {
  const [id] = await sql('security_groups').insert({
    name: group.name,
    description: group.description,
    user_id: group.userId,
    project_id: group.projectId,
    deleted: 0,
    created_at: toSqlTime(now),
  });
  return securityGroupById(sql, id as number, null);
}

/** Soft-deletes the group with its rules and associations. */
export async function deleteSecurityGroup(sql: Sql, id: number, now: number): Promise<void> {
  await sql('security_groups').where({ id }).update(deletion(now));
  await sql('security_group_instance_association').where({ security_group_id: id }).update(deletion(now));
  await sql('security_group_rules').where({ group_id: id }).update(deletion(now));
  await sql('security_group_rules').where({ parent_group_id: id }).update(deletion(now));
}

/** Whether an instance that is not deleted belongs to the group. */
export async function securityGroupInUse(sql: Sql, id: number): Promise<boolean> {
  const used: unknown = await sql('security_group_instance_association as a')
    .join('instances as i', 'i.uuid', 'a.instance_uuid')
    .where({ 'a.security_group_id': id, 'a.deleted': 0, 'i.deleted': 0 })
    .first('a.id');
  return used !== undefined;
}

/** Rules of several groups in one query, by group. */
export async function rulesOfGroups(
  sql: Sql,
  groupIds: readonly number[],
): Promise<Map<number, SecurityGroupRuleRow[]>> {
  if (groupIds.length === 0) return new Map();
  return groupBy((await rulesIn(sql, groupIds)).map(ruleFrom), rule => rule.parent_group_id);
}
const rulesIn = prepared((sql, groupIds: readonly number[]) =>
  sql('security_group_rules')
    .where(alive)
    .whereIn('parent_group_id', [...groupIds])
    .orderBy('id'),
);

/** @throws Fault `SecurityGroupNotFoundForRule` */
export async function ruleById(sql: Sql, id: number): Promise<SecurityGroupRuleRow> {
  const raw = await sql('security_group_rules')
    .where({ ...alive, id })
    .first();
  if (!raw) throw novaFault('SecurityGroupNotFoundForRule', { rule_id: id });
  return ruleFrom(raw);
}

export type NewRule = Pick<
  SecurityGroupRuleRow,
  'parent_group_id' | 'protocol' | 'from_port' | 'to_port' | 'cidr' | 'group_id'
>;

export async function createRule(sql: Sql, rule: NewRule, now: number): Promise<SecurityGroupRuleRow> {
  const [id] = await sql('security_group_rules').insert({ ...rule, deleted: 0, created_at: toSqlTime(now) });
  return ruleById(sql, id as number);
}

export async function deleteRule(sql: Sql, id: number, now: number): Promise<void> {
  await sql('security_group_rules').where({ id }).update(deletion(now));
}

const groupsHolding = prepared((sql, uuids: readonly string[]) =>
  sql('security_group_instance_association as a')
    .join('security_groups as g', 'g.id', 'a.security_group_id')
    .where({ 'a.deleted': 0, 'g.deleted': 0 })
    .whereIn('a.instance_uuid', [...uuids])
    .orderBy('g.id')
    .select('g.*', 'a.instance_uuid as instance_uuid'),
);

/** Groups of several instances in one query, by instance uuid. */
export async function groupsOfInstances(
  sql: Sql,
  uuids: readonly string[],
): Promise<Map<string, SecurityGroupRow[]>> {
  if (uuids.length === 0) return new Map();
  return groupBy(
    (await groupsHolding(sql, uuids)).map(groupFrom) as (SecurityGroupRow & { instance_uuid: string })[],
    row => row.instance_uuid,
  );
}

/** Only what a listing shows: the names, by instance uuid. */
export async function groupNamesOfInstances(
  sql: Sql,
  uuids: readonly string[],
): Promise<Map<string, string[]>> {
  if (uuids.length === 0) return new Map();
  const ofInstances = sql('security_group_instance_association as a')
    .join('security_groups as g', 'g.id', 'a.security_group_id')
    .where({ 'a.deleted': 0, 'g.deleted': 0 });
  const rows = (await whereListed(ofInstances, 'a.instance_uuid', uuids)
    .orderBy('g.id')
    .select('g.name as name', 'a.instance_uuid as instance_uuid')) as {
    name: string;
    instance_uuid: string;
  }[];
  const names = new Map<string, string[]>();
  for (const row of rows) {
    const own = names.get(row.instance_uuid);
    if (own) own.push(row.name);
    else names.set(row.instance_uuid, [row.name]);
  }
  return names;
}

/** Hosts that run an instance of one of the groups, each once. */
export async function hostsOfGroups(sql: Sql, groupIds: readonly number[]): Promise<string[]> {
  if (groupIds.length === 0) return [];
  const rows = await sql('security_group_instance_association as a')
    .join('instances as i', 'i.uuid', 'a.instance_uuid')
    .where({ 'a.deleted': 0, 'i.deleted': 0 })
    .whereIn('a.security_group_id', [...groupIds])
    .whereNotNull('i.host')
    .distinct('i.host as host');
  return rows.map((row: { host: string }) => row.host);
}

export async function associateGroup(
  sql: Sql,
  instanceUuid: string,
  groupId: number,
  now: number,
): Promise<void> {
  await sql('security_group_instance_association').insert({
    instance_uuid: instanceUuid,
    security_group_id: groupId,
    deleted: 0,
    created_at: toSqlTime(now),
  });
}

/** How many associations were taken away. */
export async function dissociateGroup(
  sql: Sql,
  instanceUuid: string,
  groupId: number,
  now: number,
): Promise<number> {
  return sql('security_group_instance_association')
    .where({ ...alive, instance_uuid: instanceUuid, security_group_id: groupId })
    .update(deletion(now));
}

const ruleWire = (rule: SecurityGroupRuleRow): SecurityGroupRuleWire => ({
  ...wireBase(rule),
  id: rule.id,
  parent_group_id: rule.parent_group_id,
  protocol: rule.protocol,
  from_port: rule.from_port,
  to_port: rule.to_port,
  cidr: rule.cidr,
  group_id: rule.group_id,
});

export const securityGroupWire = (
  group: SecurityGroupRow,
  rules: readonly SecurityGroupRuleRow[] = [],
): SecurityGroupWire => ({
  ...wireBase(group),
  id: group.id,
  name: group.name,
  description: group.description,
  user_id: group.user_id,
  project_id: group.project_id,
  rules: rules.map(ruleWire),
});
