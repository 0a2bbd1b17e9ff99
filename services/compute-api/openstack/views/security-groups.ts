import { NOVA_NS, type XmlTemplate } from '@folsom/wire/nova-xml';
import type { GroupDetails, RuleDetails } from '../../domain/security-groups.ts';
import type { JsonObject } from '../http/api.ts';

export const ruleView = (rule: RuleDetails): JsonObject => ({
  id: rule.id,
  parent_group_id: rule.parent_group_id,
  ip_protocol: rule.protocol,
  from_port: rule.from_port,
  to_port: rule.to_port,
  group: rule.source ? { name: rule.source.name, tenant_id: rule.source.project_id } : {},
  ip_range: rule.group_id === null ? { cidr: rule.cidr } : {},
});

export const groupView = (row: GroupDetails): JsonObject => ({
  id: row.id,
  name: row.name,
  description: row.description,
  tenant_id: row.project_id,
  rules: row.rules.map(ruleView),
});

const textOf = (tag: string): XmlTemplate => ({ tag, text: tag });
const rule: XmlTemplate = {
  tag: 'rule',
  attributes: { id: 'id', parent_group_id: 'parent_group_id' },
  children: [
    textOf('ip_protocol'),
    textOf('from_port'),
    textOf('to_port'),
    { tag: 'group', at: 'group', children: [textOf('name'), textOf('tenant_id')] },
    { tag: 'ip_range', at: 'ip_range', children: [textOf('cidr')] },
  ],
};
const group: XmlTemplate = {
  tag: 'security_group',
  attributes: { id: 'id', tenant_id: 'tenant_id', name: 'name' },
  children: [textOf('description'), { tag: 'rules', children: [{ ...rule, at: 'rules' }] }],
};
const namespaces = { '': NOVA_NS.v11 };
export const ruleXml: XmlTemplate = {
  ...rule,
  tag: 'security_group_rule',
  at: 'security_group_rule',
  namespaces,
};
export const groupXml: XmlTemplate = { ...group, at: 'security_group', namespaces };
export const groupsXml: XmlTemplate = {
  tag: 'security_groups',
  namespaces,
  children: [{ ...group, at: 'security_groups' }],
};
