import { must } from '@folsom/core';
import { fault } from '../faults.ts';
import type { IdentityChanges } from '../identities.ts';
import { dnValue, parseDn, sameDn } from './dn.ts';
import { type Entries, type Modification, NO_ATTRIBUTES } from './entries.ts';
import { assertAllowed, CODES, codeOf } from './faults.ts';
import { all, DUMB_MEMBER, isFor, type Layout } from './layout.ts';
import type { Lookups } from './lookups.ts';

export interface GrantParts {
  entries: Entries;
  look: Lookups;
  layout: Layout;
}

type Grants = Pick<IdentityChanges, 'addMember' | 'grantRole' | 'revokeRole'> & {
  /** Takes a user, a tenant's grants, or a role out of all tenants. */
  forgetUser(id: string): Promise<void>;
  forgetTenant(id: string): Promise<void>;
  forgetRole(id: string): Promise<void>;
};

/**
 * Members of a tenant stand in its entry, and those who have a role in it in an entry of the role's id below: `cn=ROLE,cn=TENANT,…`,
 * as the original lays them out.
 */
export function grantChanges({ entries, look, layout }: GrantParts): Grants {
  const { user, tenant, role } = layout;
  const ofRoleClass = isFor('objectClass', role.objectClass);
  const grantDn = (tenantId: string, roleId: string) => `cn=${dnValue(roleId)},${tenant.dnOf(tenantId)}`;
  const missing = (tenantId: string) => fault('TenantNotFound', { tenant_id: tenantId });

  const valuesOf = async (dn: string, filter: typeof ofRoleClass, attribute: string) => {
    const [entry] = await entries.search(dn, { scope: 'base', filter, attributes: [attribute] });
    return entry?.values(attribute) ?? null;
  };
  const isMe = (userId: string) => {
    const mine = must(parseDn(user.dnOf(userId)), 'a name of our own can be read');
    return (dn: string) => sameDn(parseDn(dn) ?? [], mine);
  };
  /** Adds a value; one that is there already stays. False: there is no such entry. */
  const put = async (dn: string, attribute: string, value: string): Promise<boolean> => {
    try {
      return await entries.modify(dn, { how: 'add', attribute, values: [value] });
    } catch (error) {
      if (codeOf(error) === CODES.attributeOrValueExists) return true;
      throw error;
    }
  };
  /** Takes a user out of an attribute; a group that would be left without a member gets the one that is nobody. */
  const takeOut = async (
    dn: string,
    filter: typeof ofRoleClass,
    attribute: string,
    userId: string,
  ): Promise<void> => {
    const values = (await valuesOf(dn, filter, attribute)) ?? [];
    const me = isMe(userId);
    const mine = values.filter(me);
    if (mine.length === 0) return;
    const change: Modification[] = [{ how: 'delete', attribute, values: mine }];
    if (mine.length === values.length) change.unshift({ how: 'add', attribute, values: [DUMB_MEMBER] });
    try {
      await entries.modify(dn, ...change);
    } catch (error) {
      // Somebody else was quicker.
      if (codeOf(error) !== CODES.noSuchAttribute) throw error;
    }
  };
  const leave = (tenantId: string, userId: string) =>
    takeOut(tenant.dnOf(tenantId), tenant.filter, tenant.memberAttribute, userId);
  const lose = (tenantId: string, roleId: string, userId: string) =>
    takeOut(grantDn(tenantId, roleId), ofRoleClass, role.memberAttribute, userId);

  return {
    addMember: async (userId, tenantId) => {
      if (!(await put(tenant.dnOf(tenantId), tenant.memberAttribute, user.dnOf(userId))))
        throw missing(tenantId);
    },
    grantRole: async (userId, tenantId, roleId) => {
      assertAllowed(role, 'update');
      const dn = grantDn(tenantId, roleId);
      const occupants = await valuesOf(dn, ofRoleClass, role.memberAttribute);
      if (occupants?.some(isMe(userId)))
        throw fault('Conflict', {
          type: 'role grant',
          details: `User ${userId} already has role ${roleId} in tenant ${tenantId}`,
        });
      const mine = user.dnOf(userId);
      if (!(await put(tenant.dnOf(tenantId), tenant.memberAttribute, mine))) throw missing(tenantId);
      if (await put(dn, role.memberAttribute, mine)) return;
      const made = await entries.add(dn, {
        objectClass: [role.objectClass],
        cn: [roleId],
        [role.memberAttribute]: [mine, DUMB_MEMBER],
      });
      // Made by somebody else in the meantime.
      if (!made) await put(dn, role.memberAttribute, mine);
    },
    revokeRole: async (userId, tenantId, roleId) => {
      assertAllowed(role, 'update');
      const { roleIds } = await look.findGrant(userId, tenantId);
      if (!roleIds.includes(roleId)) {
        const message = `Cannot remove role that has not been granted, ${roleId}`;
        throw fault('RoleNotFound', { role_id: roleId }, { message });
      }
      // The last role first of all ends membership: cut off here, the user has less and not more.
      if (roleIds.length === 1) await leave(tenantId, userId);
      await lose(tenantId, roleId, userId);
    },
    forgetUser: async id => {
      const mine = user.dnOf(id);
      const members = await entries.search(tenant.treeDn, {
        scope: 'sub',
        filter: isFor(role.memberAttribute, mine),
        attributes: NO_ATTRIBUTES,
      });
      for (const { dn } of members) {
        const place = look.placeOf(dn);
        if (place?.roleId) await lose(place.tenantId, place.roleId, id);
      }
      for (const { id: tenantId } of (await look.pageOfTenantsOf(id, {})) ?? []) await leave(tenantId, id);
    },
    forgetTenant: async id => {
      const below = await entries.search(tenant.dnOf(id), {
        scope: 'one',
        filter: ofRoleClass,
        attributes: NO_ATTRIBUTES,
      });
      for (const { dn } of below) await entries.remove(dn);
    },
    forgetRole: async id => {
      const grants = await entries.search(tenant.treeDn, {
        scope: 'sub',
        filter: all(ofRoleClass, isFor('cn', id)),
        attributes: NO_ATTRIBUTES,
      });
      for (const { dn } of grants) if (look.placeOf(dn)?.roleId === id) await entries.remove(dn);
    },
  };
}
