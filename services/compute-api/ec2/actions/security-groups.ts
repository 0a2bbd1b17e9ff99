import { must } from '@folsom/core';
import type { IngressRequest } from '../../domain/ingress.ts';
import type { GroupDetails } from '../../domain/security-groups.ts';
import { action, type Call } from '../http/action.ts';
import type { View } from '../http/answer.ts';
import { apiError, ec2Fault, says } from '../http/faults.ts';
import { listOf, recordsOf, required, text, type Values } from '../http/shapes.ts';

const GROUP = { GroupName: text(), GroupId: text() };
/** A range and who may use it, in both ways of writing it that clients of the time had. */
const FLAT_RULE = {
  IpProtocol: text(),
  FromPort: text(20),
  ToPort: text(20),
  CidrIp: text(),
  SourceSecurityGroupName: text(),
  SourceSecurityGroupOwnerId: text(),
};
const PERMISSIONS = recordsOf({
  ...FLAT_RULE,
  IpRanges: recordsOf({ CidrIp: text() }),
  Groups: recordsOf({ GroupName: text(), UserId: text(), GroupId: text() }),
});
const INGRESS = { ...GROUP, ...FLAT_RULE, IpPermissions: PERMISSIONS };
type Ingress = Values<typeof INGRESS>;
type Rule = Values<typeof FLAT_RULE>;
type Permission = NonNullable<Ingress['IpPermissions']>[number];

/** EC2 names no rule without a port: those of a group alone stand for all of the three protocols. */
const ALL_PORTS = [
  ['icmp', -1, -1],
  ['tcp', 1, 65_535],
  ['udp', 1, 65_535],
] as const;

function permissionsView({ rules }: GroupDetails): View[] {
  const view = (
    protocol: string | null,
    from: number | null,
    to: number | null,
    ranges: View[],
    groups: View[],
  ) => ({
    toPort: to,
    ipProtocol: protocol,
    ipRanges: ranges,
    groups,
    fromPort: from,
  });
  return rules.flatMap(rule => {
    if (rule.group_id === null) {
      return [view(rule.protocol, rule.from_port, rule.to_port, [{ cidrIp: rule.cidr }], [])];
    }
    // Its source may have been deleted in this moment.
    const { source } = rule;
    const groups = source ? [{ groupName: source.name, userId: source.project_id }] : [];
    return rule.protocol
      ? [view(rule.protocol, rule.from_port, rule.to_port, [], groups)]
      : ALL_PORTS.map(([protocol, from, to]) => view(protocol, from, to, [], groups));
  });
}

const groupView = (group: GroupDetails): View => ({
  ipPermissions: permissionsView(group),
  groupName: group.name,
  groupDescription: group.description,
  ownerId: group.project_id,
});

const describeGroups = action({
  name: 'DescribeSecurityGroups',
  about: "The tenant's security groups, or those named; administrators may filter by `all-tenants`.",
  parameters: {
    GroupName: listOf(),
    GroupId: listOf(),
    Filter: recordsOf({ Name: text(), Value: listOf() }),
  },
  run: async ({ domain, context }, { GroupName = [], GroupId = [], Filter = [] }) => {
    const named = GroupName.length > 0 || GroupId.length > 0;
    const allTenants = Filter.some(
      ({ Name = '', Value = [] }) => Name.replaceAll('-', '_') === 'all_tenants' && Value[0],
    );
    const groups = named
      ? await domain.groups.named(context, GroupName, GroupId)
      : await domain.groups.list(context, { allTenants });
    return { securityGroupInfo: groups.map(groupView) };
  },
});

const PRINTABLE = /^[\x20-\x7E]+$/;
const STRICT = /^[a-zA-Z0-9_\- ]+$/;

function checkText(value: string, property: string, allowed: RegExp): void {
  if (value.trim() === '') {
    throw ec2Fault('InvalidParameterValue', { err: `Security group ${property} cannot be empty.` });
  }
  if (!allowed.test(value.trim())) throw ec2Fault('UnknownError');
}

const createGroup = action({
  name: 'CreateSecurityGroup',
  about: 'A security group without rules.',
  parameters: { GroupName: required(text()), GroupDescription: required(text()) },
  faults: { OverQuota: says('Quota exceeded, too many security groups.') },
  run: async ({ domain, context, config }, { GroupName, GroupDescription }) => {
    const strict = config.ec2_strict_validation;
    checkText(GroupName, 'name', strict ? STRICT : PRINTABLE);
    if (strict) checkText(GroupDescription, 'description', STRICT);
    return {
      securityGroupSet: [groupView(await domain.groups.create(context, GroupName, GroupDescription))],
    };
  },
});

/** @throws Fault `EC2APIError` without one, `SecurityGroupNotFound…` */
async function groupOf(
  { domain, context }: Call,
  { GroupName, GroupId }: Pick<Ingress, 'GroupName' | 'GroupId'>,
): Promise<GroupDetails> {
  if (GroupName === undefined && GroupId === undefined) {
    throw apiError('Not enough parameters, need group_name or group_id');
  }
  const [names, ids] =
    GroupName === undefined ? [[], [must(GroupId, 'GroupId is there')]] : [[GroupName], []];
  return must((await domain.groups.named(context, names, ids))[0], 'named is not empty');
}

const deleteGroup = action({
  name: 'DeleteSecurityGroup',
  about: 'Deletes a security group that no instance belongs to.',
  parameters: GROUP,
  run: async (call, parameters) => {
    const group = await groupOf(call, parameters);
    await call.domain.groups.delete(call.context, String(group.id));
    return true;
  },
});

const ruleOf = (rule: Rule): IngressRequest => ({
  protocol: rule.IpProtocol,
  fromPort: rule.FromPort,
  toPort: rule.ToPort,
  cidr: rule.CidrIp,
  source:
    rule.SourceSecurityGroupName === undefined
      ? undefined
      : { name: rule.SourceSecurityGroupName, projectId: ownerIn(rule.SourceSecurityGroupOwnerId) },
});

/** `user:project`, or a project alone. */
const ownerIn = (text: string | undefined): string | undefined => {
  const parts = text?.split(':');
  return parts?.length === 2 ? parts[1] : parts?.[0];
};

/** One permission is a rule for each of its ranges and groups. */
function rulesIn(permission: Permission): IngressRequest[] {
  const { IpRanges = [], Groups = [], ...flat } = permission;
  const rules: Rule[] = [
    ...IpRanges.map(({ CidrIp }) => ({ ...flat, CidrIp })),
    ...Groups.map(({ GroupName, UserId }) => ({
      ...flat,
      SourceSecurityGroupName: GroupName,
      SourceSecurityGroupOwnerId: UserId,
    })),
  ];
  return (rules.length > 0 ? rules : [flat]).map(ruleOf);
}

const PROTOCOLS = ['tcp', 'udp', 'icmp', '6', '17', '1'];

const requestedRules = (ingress: Ingress): IngressRequest[] =>
  (ingress.IpPermissions ?? [{ ...ingress, IpRanges: undefined, Groups: undefined }]).flatMap(rulesIn);

/** A rule as Folsom's complaint shows it: a Python dictionary. */
function pythonRule(rule: Record<string, unknown>, groupId: number): string {
  const { to_port, from_port, cidr, protocol, group_id } = rule;
  const shown: [string, string][] =
    group_id === null
      ? [
          ['to_port', String(to_port)],
          ['cidr', `u'${String(cidr)}'`],
          ['from_port', String(from_port)],
          ['protocol', `'${String(protocol)}'`],
          ['parent_group_id', String(groupId)],
        ]
      : [
          ...(protocol === null
            ? []
            : ([
                ['to_port', String(to_port)],
                ['from_port', String(from_port)],
                ['protocol', `'${String(protocol)}'`],
              ] as [string, string][])),
          ['group_id', String(group_id)],
          ['parent_group_id', String(groupId)],
        ];
  return `{${shown.map(([key, value]) => `'${key}': ${value}`).join(', ')}}`;
}

const authorizeIngress = action({
  name: 'AuthorizeSecurityGroupIngress',
  about: 'Lets address ranges or the members of other groups in.',
  parameters: INGRESS,
  faults: {
    SecurityGroupRuleExists: ({ values }) =>
      apiError(
        `${pythonRule(values.rule as Record<string, unknown>, Number(values.group_id))} - This rule already exists in group`,
      ),
  },
  run: async (call, parameters) => {
    const group = await groupOf(call, parameters);
    const rules = requestedRules(parameters);
    for (const { protocol } of rules) {
      if (protocol !== undefined && !PROTOCOLS.includes(protocol))
        throw ec2Fault('InvalidProtocol', { protocol });
    }
    await call.domain.groups.authorizeIngress(call.context, group, rules);
    return true;
  },
});

const revokeIngress = action({
  name: 'RevokeSecurityGroupIngress',
  about: 'Takes rules away.',
  parameters: INGRESS,
  run: async (call, parameters) => {
    const group = await groupOf(call, parameters);
    if (!(await call.domain.groups.revokeIngress(call.context, group, requestedRules(parameters)))) {
      throw apiError('No rule for the specified parameters.');
    }
    return true;
  },
});

export const securityGroupActions = [
  describeGroups,
  createGroup,
  deleteGroup,
  authorizeIngress,
  revokeIngress,
];
