import { NOVA_NS } from '@folsom/wire/nova-xml';
import {
  attribute,
  attributesOf,
  child,
  children,
  many,
  one,
  type Parts,
  textElement,
  view,
} from '@folsom/wire/view';
import type { GroupDetails, RuleDetails } from '../../domain/security-groups.ts';

const always = { always: true };

/** The group whose members may come in, and the range of addresses that may: a rule has one of them, and the other is empty. */
const source = view<[RuleDetails['source']]>('group', {
  name: textElement(found => found?.name, always),
  tenant_id: textElement(found => found?.project_id, always),
});
const range = view<[RuleDetails]>('ip_range', {
  cidr: textElement(rule => (rule.group_id === null ? rule.cidr : undefined), always),
});

const parts: Parts<[RuleDetails]> = {
  ...attributesOf<RuleDetails>('id', 'parent_group_id'),
  ip_protocol: textElement(rule => rule.protocol, always),
  from_port: textElement(rule => rule.from_port, always),
  to_port: textElement(rule => rule.to_port, always),
  group: child(source, rule => rule.source),
  ip_range: child(range, rule => rule),
};
const group = view<[GroupDetails]>('security_group', {
  ...attributesOf<GroupDetails>('id', 'name'),
  tenant_id: attribute(row => row.project_id),
  description: textElement(row => row.description, always),
  rules: children(view<[RuleDetails]>('rule', parts), row => row.rules),
});

const namespaces = { '': NOVA_NS.v11 };
export const ruleView = one(view<[RuleDetails]>('security_group_rule', parts), { namespaces });
export const groupView = one(group, { namespaces });
export const groupsView = many(group, { namespaces });
