import { isFault } from '@folsom/core';
import { ownText } from '@folsom/http/operation';
import { child, type XmlElement } from '@folsom/wire';
import { attributeOrChild } from '@folsom/wire/nova-xml';
import { attribute, children, type Parts, view } from '@folsom/wire/view';
import Type from 'typebox';
import { isWanted } from '../../domain/listing.ts';
import type { Api, ComputeOperation, CreatedInstance, Extension } from '../http/api.ts';
import { badRequest, unprocessable } from '../http/faults.ts';
import { bare, operation, overLimitSaying } from '../http/operation.ts';
import { offsetQuery, pageByOffset } from '../http/paging.ts';
import { serverAttributes } from '../http/server-attributes.ts';
import { NAME_CHARS_MAX, readBy } from '../http/shapes.ts';
import { isObject, scalarText } from '../http/values.ts';
import { groupsView, groupView, ruleView } from '../views/security-groups.ts';

const policy = 'compute_extension:security_groups';

const named = view<[string]>('security_group', { name: attribute(name => name) });
/** The groups of a server; nothing where it is in none. */
const groupsShown: Parts<[CreatedInstance, Api]> = {
  security_groups: children(named, ({ groups }) => (groups.length > 0 ? groups : undefined), { ifAny: true }),
};

const readGroup = (root: XmlElement) => {
  const description = child(root, 'description');
  return {
    security_group: {
      ...('name' in root.attributes ? { name: root.attributes.name } : {}),
      ...(description ? { description: description.text } : {}),
    },
  };
};
const RULE_PARTS = ['ip_protocol', 'from_port', 'to_port', 'parent_group_id', 'group_id', 'cidr'];
const readRule = (root: XmlElement) => ({
  security_group_rule: Object.fromEntries(
    RULE_PARTS.flatMap(name => {
      const text = child(root, name)?.text;
      return text === undefined ? [] : [[name, text]];
    }),
  ) as Record<string, string>,
});

const property = (name: string) =>
  readBy((value): string => {
    if (typeof value !== 'string') throw badRequest(`Security group ${name} is not a string or unicode`);
    if (value.trim() === '') throw badRequest(`Security group ${name} cannot be empty.`);
    if (value.trim().length > NAME_CHARS_MAX) {
      throw badRequest(`Security group ${name} should not be greater than 255 characters.`);
    }
    return value;
  });

const wholeBody = { says: () => unprocessable() };
const newGroup = Type.Object(
  {
    security_group: Type.Object({ name: property('name'), description: property('description') }, wholeBody),
  },
  wholeBody,
);

/** A part that is no text and no number is told by its kind, as a wrong one is by its value. */
const plainText = (value: unknown): string | undefined =>
  value === undefined || value === null ? undefined : (scalarText(value) ?? typeof value);
const part = Type.Optional(readBy(plainText));
const newRule = Type.Object(
  {
    security_group_rule: Type.Object(
      {
        parent_group_id: Type.Optional(readBy(value => scalarText(value) ?? '')),
        group_id: part,
        ip_protocol: part,
        from_port: part,
        to_port: part,
        cidr: part,
      },
      wholeBody,
    ),
  },
  wholeBody,
);

/** Groups of one boot. */
const LIST_MAX = 64;

const groupsOfBoot = readBy((value): string[] => {
  if (value == null) return ['default'];
  if (!Array.isArray(value) || value.length > LIST_MAX) throw badRequest();
  const names = value.map(item => {
    if (!isObject(item) || !('name' in item)) throw badRequest();
    const { name } = item;
    if (name === null || name === '') return '';
    if (typeof name !== 'string' || name.length > NAME_CHARS_MAX) {
      throw badRequest('Invalid security group name.');
    }
    return name;
  });
  const given = [...new Set(names.filter(name => name !== ''))];
  return given.length > 0 ? given : ['default'];
}, 'A list of `{"name": ...}`.');

const NAME_EMPTY = 'Security group name cannot be empty';
const ID_MAX = 2 ** 31 - 1;

const member = readBy((body): string | number => {
  if (!isObject(body)) throw badRequest('Missing parameter dict');
  if (!('name' in body)) throw badRequest('Security group not specified');
  const { name } = body;
  if (typeof name === 'number' && Number.isInteger(name) && name > 0 && name <= ID_MAX) return name;
  if (typeof name !== 'string' || name.trim() === '') throw badRequest(NAME_EMPTY);
  return name;
}, 'The `name` of the group, or its number.');

const notFound = {
  SecurityGroupNotFound: [404, ownText],
  SecurityGroupNotFoundForProject: [404, ownText],
  InstanceNotFound: [404, ownText],
} as const;

const memberOperation = (key: 'addSecurityGroup' | 'removeSecurityGroup'): ComputeOperation =>
  operation({
    name: key === 'addSecurityGroup' ? 'AddSecurityGroup' : 'RemoveSecurityGroup',
    about: key === 'addSecurityGroup' ? 'Puts a server into a group.' : 'Takes a server out of a group.',
    method: 'POST',
    path: '/servers/:id/action',
    key,
    policy,
    body: member,
    answers: 202,
    faults: notFound,
    throws: [
      key === 'addSecurityGroup' ? 'SecurityGroupExistsForInstance' : 'SecurityGroupNotExistsForInstance',
      'InstanceNotRunning',
    ],
    run: async ({ domain, context, params, body }) => {
      const { addGroup, removeGroup } = domain.servers;
      try {
        await (key === 'addSecurityGroup' ? addGroup : removeGroup)(context, params.id, body);
      } catch (error) {
        // To Folsom a number was no name.
        throw typeof body === 'number' && isFault(error, 'SecurityGroupNotFound')
          ? badRequest(NAME_EMPTY)
          : error;
      }
      return bare();
    },
  });

const groupOperations: readonly ComputeOperation[] = [
  operation({
    name: 'ListSecurityGroups',
    about: "Groups of the tenant, or with `all_tenants` everybody's for administrators.",
    method: 'GET',
    path: '/os-security-groups',
    policy,
    query: Type.Object({ ...offsetQuery.properties, all_tenants: Type.Optional(Type.String()) }),
    answers: 200,
    view: groupsView,
    run: async ({ domain, context, query }) => {
      const page = { ...pageByOffset(context, query), allTenants: isWanted(query.all_tenants) };
      return groupsView.json(await domain.groups.list(context, page));
    },
  }),
  operation({
    name: 'ShowSecurityGroup',
    about: 'A group with its rules.',
    method: 'GET',
    path: '/os-security-groups/:id',
    policy,
    answers: 200,
    view: groupView,
    faults: notFound,
    throws: ['InvalidSecurityGroupId'],
    run: async ({ domain, context, params }) => groupView.json(await domain.groups.get(context, params.id)),
  }),
  operation({
    name: 'CreateSecurityGroup',
    about: 'Makes a group.',
    method: 'POST',
    path: '/os-security-groups',
    policy,
    body: newGroup,
    readXml: readGroup,
    // openstackclient 7.4 sends forms.
    readForm: fields => ({ security_group: fields }),
    answers: 200,
    view: groupView,
    faults: { OverQuota: overLimitSaying('Quota exceeded, too many security groups.') },
    throws: ['SecurityGroupExists'],
    run: async ({ domain, context, body: { security_group: asked } }) =>
      groupView.json(await domain.groups.create(context, asked.name, asked.description)),
  }),
  operation({
    name: 'DeleteSecurityGroup',
    about: 'Deletes a group that no server belongs to.',
    method: 'DELETE',
    path: '/os-security-groups/:id',
    policy,
    answers: 202,
    faults: notFound,
    throws: ['InvalidSecurityGroupId', 'SecurityGroupInUse'],
    run: async ({ domain, context, params }) => {
      await domain.groups.delete(context, params.id);
      return bare();
    },
  }),
  operation({
    name: 'ListServerSecurityGroups',
    about: 'Groups that a server belongs to.',
    method: 'GET',
    path: '/servers/:server_id/os-security-groups',
    policy,
    answers: 200,
    view: groupsView,
    faults: notFound,
    run: async ({ domain, context, params }) =>
      groupsView.json(await domain.servers.groups(context, params.server_id)),
  }),
];

const ruleOperations: readonly ComputeOperation[] = [
  operation({
    name: 'CreateSecurityGroupRule',
    about: 'Lets an address block, or the members of a group, reach the members of a group.',
    method: 'POST',
    path: '/os-security-group-rules',
    policy,
    body: newRule,
    readXml: readRule,
    readForm: fields => ({ security_group_rule: fields }),
    answers: 200,
    view: ruleView,
    faults: {
      ...notFound,
      SecurityGroupLimitExceeded: overLimitSaying('Quota exceeded, too many security group rules.'),
    },
    throws: [
      'InvalidSecurityGroupId',
      'SourceGroupNotFound',
      'SecurityGroupRuleIncomplete',
      'SecurityGroupRuleExists',
      'InvalidIpProtocol',
      'InvalidPortRange',
      'InvalidInput',
      'InvalidCidr',
    ],
    run: async ({ domain, context, body: { security_group_rule: asked } }) =>
      ruleView.json(
        await domain.groups.addRule(context, {
          parent: asked.parent_group_id ?? '',
          source: asked.group_id,
          protocol: asked.ip_protocol,
          fromPort: asked.from_port,
          toPort: asked.to_port,
          cidr: asked.cidr,
        }),
      ),
  }),
  operation({
    name: 'DeleteSecurityGroupRule',
    about: 'Removes a rule from its group.',
    method: 'DELETE',
    path: '/os-security-group-rules/:id',
    policy,
    answers: 202,
    faults: notFound,
    throws: ['InvalidSecurityGroupId', 'SecurityGroupRuleNotFound'],
    run: async ({ domain, context, params }) => {
      await domain.groups.removeRule(context, params.id);
      return bare();
    },
  }),
];

export const extension: Extension = {
  alias: 'os-security-groups',
  name: 'SecurityGroups',
  namespace: 'http://docs.openstack.org/compute/ext/securitygroups/api/v1.1',
  updated: '2011-07-21T00:00:00+00:00',
  description: 'Security group support',
  attributes: serverAttributes({
    shape: { security_groups: Type.Optional(groupsOfBoot) },
    readBoot: server => (server.security_groups ? { securityGroups: server.security_groups } : {}),
    readXml: node => {
      const groups = child(node, 'security_groups');
      if (!groups) return {};
      const items = groups.children.filter(item => item.name === 'security_group');
      const names = items.flatMap(item => attributeOrChild(item, 'name') || []);
      return { security_groups: names.map(name => ({ name })) };
    },
  }),
  seenBy: caller => caller.api.domain.policy.allowed(caller, policy),
  server: groupsShown,
  serverCreated: groupsShown,
  resources: ['/os-security-groups', '/os-security-group-rules', '/servers/:server_id/os-security-groups'],
  operations: [
    ...groupOperations,
    ...ruleOperations,
    memberOperation('addSecurityGroup'),
    memberOperation('removeSecurityGroup'),
  ],
};
