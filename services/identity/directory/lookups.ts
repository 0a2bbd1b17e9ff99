import { must } from '@folsom/core';
import { OrFilter } from 'ldapts';
import { fault } from '../faults.ts';
import type { GrantIn, Identities } from '../identities.ts';
import { type Grant, grantFrom } from '../repositories/grants.ts';
import type { Named, Page } from '../repositories/named-rows.ts';
import type { Role } from '../repositories/roles.ts';
import { parseDn } from './dn.ts';
import { type Entries, type Found, NO_ATTRIBUTES } from './entries.ts';
import { all, idBelow, isFor, type Kind, type Layout } from './layout.ts';
import { attributesOf, nameIn, type RecordShape, readRecord, tenantRecord, userRecord } from './records.ts';

/** Members that are asked for at a time. */
const IDS_AT_A_TIME = 100;

export type Lookups = ReturnType<typeof lookups>;

type Shared = Pick<
  Identities,
  | 'findUser'
  | 'getUser'
  | 'listUsers'
  | 'findTenant'
  | 'getTenant'
  | 'pageOfTenants'
  | 'pageOfTenantsOf'
  | 'listMembers'
  | 'getRole'
  | 'listRoles'
  | 'findGrant'
  | 'listGrantsOf'
>;

/** A directory has no order of its own: ids have one that stays. */
const byId = <T extends { id: string }>(things: readonly T[]): T[] =>
  [...things].sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));

/** What a directory is asked. Values go into filters and names as values, whatever is in them. */
export function lookups(entries: Entries, layout: Layout) {
  const { user, tenant, role } = layout;
  const users = recordsIn(entries, userRecord(layout));
  const tenants = recordsIn(entries, tenantRecord(layout));
  const memberOf = (userId: string) => all(tenant.filter, isFor(tenant.memberAttribute, user.dnOf(userId)));
  const occupantOf = (userId: string) =>
    all(isFor('objectClass', role.objectClass), isFor(role.memberAttribute, user.dnOf(userId)));
  const tree = must(parseDn(tenant.treeDn), 'the layout has looked at it');

  /** Memberships and roles of a user from a base on, by tenant. */
  const rightsOf = async (base: string, userId: string) => {
    const found = await entries.search(base, {
      scope: 'sub',
      filter: new OrFilter({ filters: [memberOf(userId), occupantOf(userId)] }),
      attributes: NO_ATTRIBUTES,
    });
    const members = new Set<string>();
    const roles = new Map<string, string[]>();
    for (const { dn } of found) {
      const place = placeOf(dn);
      if (place === null) continue;
      if (place.roleId === null) members.add(place.tenantId);
      else roles.set(place.tenantId, [...(roles.get(place.tenantId) ?? []), place.roleId]);
    }
    return { members, roles };
  };
  /** The tenant that a name is of, or the grant of a role below one. Roles there are called by their common name. */
  const placeOf = (dn: string): { tenantId: string; roleId: string | null } | null => {
    const parts = parseDn(dn);
    const own = idBelow(parts, tenant.idAttribute, tree);
    if (own !== null) return { tenantId: own, roleId: null };
    const tenantId = idBelow(parts?.slice(1) ?? null, tenant.idAttribute, tree);
    const first = parts?.[0];
    return tenantId !== null && first?.attribute === 'cn' ? { tenantId, roleId: first.value } : null;
  };
  const roleFrom = (entry: Found): Role[] => {
    const id = role.idOf(entry.dn);
    return id === null ? [] : [{ id, name: nameIn(role, entry, id) }];
  };
  const rolesWhere = async (base: string, scope: 'base' | 'one', filter = role.filter): Promise<Role[]> =>
    (await entries.search(base, { scope, filter, attributes: [role.idAttribute, 'cn'] })).flatMap(roleFrom);

  const shared: Shared = {
    findUser: users.find,
    getUser: async id => {
      const found = await users.find(id);
      if (found === null) throw fault('UserNotFound', { user_id: id });
      return found;
    },
    listUsers: () => users.list(),
    findTenant: tenants.find,
    getTenant: async id => {
      const found = await tenants.find(id);
      if (found === null) throw fault('TenantNotFound', { tenant_id: id });
      return found;
    },
    pageOfTenants: async page => pageOf(await tenants.list(), page),
    pageOfTenantsOf: async (userId, page) => pageOf(await tenants.list(memberOf(userId)), page),
    listMembers: async tenantId => {
      const [group] = await entries.search(tenant.dnOf(tenantId), {
        scope: 'base',
        filter: tenant.filter,
        attributes: [tenant.memberAttribute],
      });
      const ids = (group?.values(tenant.memberAttribute) ?? []).flatMap(dn => user.idOf(dn) ?? []);
      return users.withIds(ids);
    },
    getRole: async id => {
      const found = (await rolesWhere(role.dnOf(id), 'base')).find(one => one.id === id);
      if (found === undefined) throw fault('RoleNotFound', { role_id: id });
      return found;
    },
    listRoles: async () => byId(await rolesWhere(role.treeDn, 'one')),
    findGrant: async (userId, tenantId): Promise<Grant> => {
      const { members, roles } = await rightsOf(tenant.dnOf(tenantId), userId);
      const held = roles.get(tenantId) ?? [];
      return grantFrom(members.has(tenantId), held.length === 0 ? null : JSON.stringify({ roles: held }));
    },
    listGrantsOf: async (userId): Promise<GrantIn[]> => {
      const { members, roles } = await rightsOf(tenant.treeDn, userId);
      return [...members].sort().map(tenantId => ({ tenantId, roleIds: roles.get(tenantId) ?? [] }));
    },
  };
  return {
    ...shared,
    userByName: users.byName,
    tenantByName: tenants.byName,
    roleByName: async (name: string): Promise<Role | null> => {
      const found = await rolesWhere(role.treeDn, 'one', all(role.filter, isFor('cn', name)));
      return found.find(one => called(one.name, name)) ?? null;
    },
    placeOf,
  };
}

const called = (one: string, other: string): boolean => one.toLowerCase() === other.toLowerCase();

function pageOf<T extends { id: string }>(things: readonly T[], { marker, limit }: Page): T[] | null {
  const at = marker === undefined ? -1 : things.findIndex(({ id }) => id === marker);
  if (marker !== undefined && at === -1) return null;
  return things.slice(at + 1, limit === undefined ? undefined : at + 1 + limit);
}

/** Users, or tenants. */
function recordsIn(entries: Entries, shape: RecordShape) {
  const { kind } = shape;
  const attributes = attributesOf(shape);
  const read = async (base: string, scope: 'base' | 'one', filter = kind.filter): Promise<Named[]> =>
    (await entries.search(base, { scope, filter, attributes })).flatMap(
      entry => readRecord(shape, entry) ?? [],
    );
  return {
    /** By exactly this id: a directory takes letters of both cases for the same, tokens and revocations do not. */
    find: async (id: string): Promise<Named | null> =>
      id === '' ? null : ((await read(kind.dnOf(id), 'base')).find(one => one.id === id) ?? null),
    /** As the directory compares names; the one that is written the same comes first. */
    byName: async (name: string): Promise<Named | null> => {
      const found = (await read(kind.treeDn, 'one', withName(kind, name))).filter(one =>
        called(one.name, name),
      );
      return found.find(one => one.name === name) ?? found[0] ?? null;
    },
    list: async (filter = kind.filter): Promise<Named[]> => byId(await read(kind.treeDn, 'one', filter)),
    withIds: async (ids: readonly string[]): Promise<Named[]> => {
      const wanted = new Set(ids);
      const found: Named[] = [];
      for (let at = 0; at < ids.length; at += IDS_AT_A_TIME) {
        const filters = ids.slice(at, at + IDS_AT_A_TIME).map(id => isFor(kind.idAttribute, id));
        found.push(...(await read(kind.treeDn, 'one', all(kind.filter, new OrFilter({ filters })))));
      }
      return byId(found.filter(({ id }) => wanted.has(id)));
    },
  };
}

const withName = (kind: Kind, name: string) => all(kind.filter, isFor(kind.nameAttribute, name));
