import { isFault } from '@folsom/core';
import {
  rulesOfGroups,
  type SecurityGroupRow,
  type SecurityGroupRuleRow,
} from '@folsom/nova/security-groups';
import { child, type XmlElement } from '@folsom/wire';
import { NOVA_NS, type XmlTemplate } from '@folsom/wire/nova-xml';
import { getInstance } from '../../domain/instances.ts';
import { isWanted } from '../../domain/listing.ts';
import { allowed } from '../../domain/policy.ts';
import {
  addRule,
  addToInstance,
  createGroup,
  destroyGroup,
  ensureDefaultGroup,
  getGroup,
  groupsFor,
  ownGroupNamed,
  removeFromInstance,
  removeRule,
} from '../../domain/security-groups.ts';
import { ruleOf } from '../../domain/security-rules.ts';
import { actionBody } from '../core/server-actions.ts';
import { type Answer, empty, ok } from '../http/answer.ts';
import type { Extension } from '../http/extension.ts';
import { badRequest, notFound, tooLarge, translating, unprocessable } from '../http/faults.ts';
import type { Deps } from '../http/front.ts';
import { authorizeExtension } from '../http/front.ts';
import {
  type ApiRequest,
  entity,
  isObject,
  type JsonObject,
  NAME_CHARS_MAX,
  pageByOffset,
  param,
  rowId,
  scalarText,
} from '../http/request.ts';

const NAMESPACE = 'http://docs.openstack.org/compute/ext/securitygroups/api/v1.1';

const authorized = (api: ApiRequest) => authorizeExtension(api.deps, api.context, 'security_groups');

function showGroups(_deps: Deps, view: JsonObject, instance: { groups: string[] }): void {
  if (instance.groups.length > 0) view.security_groups = instance.groups.map(name => ({ name }));
}

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
const ruleXml: XmlTemplate = { ...rule, tag: 'security_group_rule', at: 'security_group_rule', namespaces };
const groupXml: XmlTemplate = { ...group, at: 'security_group', namespaces };
const groupsXml: XmlTemplate = {
  tag: 'security_groups',
  namespaces,
  children: [{ ...group, at: 'security_groups' }],
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
    RULE_PARTS.map(name => [name, child(root, name)?.text]).filter(([, text]) => text !== undefined),
  ),
});

interface Names {
  name: string;
  project_id: string;
}

const ruleView = (row: SecurityGroupRuleRow, groups: ReadonlyMap<number, Names>): JsonObject => {
  const source = row.group_id === null ? undefined : groups.get(row.group_id);
  return {
    id: row.id,
    parent_group_id: row.parent_group_id,
    ip_protocol: row.protocol,
    from_port: row.from_port,
    to_port: row.to_port,
    group: source ? { name: source.name, tenant_id: source.project_id } : {},
    ip_range: row.group_id === null ? { cidr: row.cidr } : {},
  };
};

/** Names of the groups that rules point to: one query for all of them. */
async function sourcesOf(
  api: ApiRequest,
  rules: readonly SecurityGroupRuleRow[],
): Promise<Map<number, Names>> {
  const ids = [...new Set(rules.map(row => row.group_id).filter(id => id !== null))];
  if (ids.length === 0) return new Map();
  const rows = (await api.deps.db
    .knex('security_groups')
    .where({ deleted: 0 })
    .whereIn('id', ids)
    .select('id', 'name', 'project_id')) as (Names & { id: number })[];
  return new Map(rows.map(row => [row.id, row]));
}

async function groupViews(api: ApiRequest, groups: readonly SecurityGroupRow[]): Promise<JsonObject[]> {
  const rules = await rulesOfGroups(
    api.deps.db.knex,
    groups.map(row => row.id),
  );
  const sources = await sourcesOf(api, [...rules.values()].flat());
  const views = groups.map(row => ({
    id: row.id,
    name: row.name,
    description: row.description,
    tenant_id: row.project_id,
    rules: (rules.get(row.id) ?? []).map(item => ruleView(item, sources)),
  }));
  const key = (view: { tenant_id: string; name: string }) => `${view.tenant_id}\u0000${view.name}`;
  return views.sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

function idOf(text: unknown): number {
  const id = rowId(scalarText(text) ?? '');
  if (id === undefined) throw badRequest('Security group id should be integer');
  return id;
}

const missing = <T>(work: () => Promise<T>): Promise<T> =>
  translating({ SecurityGroupNotFound: error => notFound(error.message) }, work);

const groupOf = (api: ApiRequest, id: unknown): Promise<SecurityGroupRow> =>
  missing(async () => getGroup(api.deps, api.context, idOf(id)));

/** By id, or the tenant's own by a name that is no number: today's clients send one. @throws `SecurityGroupNotFound` */
async function groupOrNamed(api: ApiRequest, id: unknown): Promise<SecurityGroupRow> {
  const isName = typeof id === 'string' && !/^\s*[+-]?\d+\s*$/.test(id) && id.length <= NAME_CHARS_MAX;
  const named = isName ? await ownGroupNamed(api.deps, api.context, id) : undefined;
  return named ?? getGroup(api.deps, api.context, idOf(id));
}

function property(value: unknown, name: string): string {
  if (typeof value !== 'string') throw badRequest(`Security group ${name} is not a string or unicode`);
  if (value.trim() === '') throw badRequest(`Security group ${name} cannot be empty.`);
  if (value.trim().length > NAME_CHARS_MAX) {
    throw badRequest(`Security group ${name} should not be greater than 255 characters.`);
  }
  return value;
}

async function create(api: ApiRequest): Promise<Answer> {
  authorized(api);
  const body = entity(api.body, 'security_group');
  if (!body) throw unprocessable();
  const name = property(body.name, 'name');
  const description = property(body.description, 'description');
  const row = await translating(
    { OverQuota: () => tooLarge('Quota exceeded, too many security groups.', 0) },
    () => createGroup(api.deps, api.context, name, description),
  );
  return ok({ security_group: (await groupViews(api, [row]))[0] });
}

async function createRule(api: ApiRequest): Promise<Answer> {
  authorized(api);
  const body = entity(api.body, 'security_group_rule');
  if (!body) throw unprocessable();
  const parent = await missing(() => groupOrNamed(api, body.parent_group_id));
  const wanted = await translating(
    {
      InvalidCidr: error => badRequest(error.message),
      InvalidInput: error => badRequest(error.message),
      InvalidIpProtocol: error => badRequest(error.message),
      InvalidPortRange: error => badRequest(error.message),
      SecurityGroupNotFound: error => badRequest(error.message),
    },
    async () => {
      const source = body.group_id == null ? undefined : await groupOrNamed(api, body.group_id);
      return ruleOf({
        protocol: body.ip_protocol,
        fromPort: body.from_port,
        toPort: body.to_port,
        cidr: body.cidr,
        groupId: source?.id,
      });
    },
  );
  if (!wanted) throw badRequest('Not enough parameters to build a valid rule.');
  const row = await translating(
    { SecurityGroupLimitExceeded: () => tooLarge('Quota exceeded, too many security group rules.', 0) },
    () => addRule(api.deps, api.context, parent, wanted),
  );
  return ok({ security_group_rule: ruleView(row, await sourcesOf(api, [row])) });
}

async function onServer(api: ApiRequest, action: string, work: typeof addToInstance): Promise<Answer> {
  authorized(api);
  const body = actionBody(api, action);
  if (!isObject(body)) throw badRequest('Missing parameter dict');
  if (!('name' in body)) throw badRequest('Security group not specified');
  if (typeof body.name !== 'string' || body.name.trim() === '') {
    throw badRequest('Security group name cannot be empty');
  }
  try {
    const server = await getInstance(api.deps, api.context, param(api, 'id'));
    await work(api.deps, api.context, server, body.name);
  } catch (error) {
    if (isFault(error) && error.status === 404) throw notFound(error.message);
    throw error;
  }
  return empty();
}

export const extension: Extension = {
  alias: 'os-security-groups',
  name: 'SecurityGroups',
  namespace: NAMESPACE,
  updated: '2011-07-21T00:00:00+00:00',
  description: 'Security group support',
  seesServers: api => allowed(api.deps, api.context, 'compute_extension:security_groups'),
  server: showGroups,
  serverCreated: showGroups,
  xml: {
    server: {
      children: [
        {
          tag: 'security_groups',
          at: (view: JsonObject) => ('security_groups' in view ? view : undefined),
          children: [{ tag: 'security_group', at: 'security_groups', attributes: { name: 'name' } }],
        },
      ],
    },
  },
  actions: {
    servers: {
      addSecurityGroup: { handle: api => onServer(api, 'addSecurityGroup', addToInstance) },
      removeSecurityGroup: { handle: api => onServer(api, 'removeSecurityGroup', removeFromInstance) },
    },
  },
  resources: [
    {
      path: 'os-security-groups',
      index: {
        xml: groupsXml,
        handle: async api => {
          authorized(api);
          const all = isWanted(api.query.get('all_tenants'));
          const groups = pageByOffset(api, await groupsFor(api.deps, api.context, all));
          return ok({ security_groups: await groupViews(api, groups) });
        },
      },
      show: {
        xml: groupXml,
        handle: async api => {
          authorized(api);
          const group = await missing(() => groupOrNamed(api, param(api, 'id')));
          return ok({ security_group: (await groupViews(api, [group]))[0] });
        },
      },
      create: { xml: groupXml, readXml: readGroup, handle: create },
      delete: {
        handle: async api => {
          authorized(api);
          await destroyGroup(api.deps, await groupOf(api, param(api, 'id')));
          return empty();
        },
      },
    },
    {
      path: 'os-security-group-rules',
      create: { xml: ruleXml, readXml: readRule, handle: createRule },
      delete: {
        handle: async api => {
          authorized(api);
          await missing(async () => removeRule(api.deps, api.context, idOf(param(api, 'id'))));
          return empty();
        },
      },
    },
    {
      path: 'servers/:server_id/os-security-groups',
      index: {
        xml: groupsXml,
        handle: async api => {
          authorized(api);
          await ensureDefaultGroup(api.deps, api.context);
          const server = await translating({ InstanceNotFound: error => notFound(error.message) }, () =>
            getInstance(api.deps, api.context, param(api, 'server_id')),
          );
          return ok({ security_groups: await groupViews(api, server.security_groups) });
        },
      },
    },
  ],
};
