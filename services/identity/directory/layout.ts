import type { Config } from '@folsom/config';
import { AndFilter, EqualityFilter, type Filter, FilterParser } from 'ldapts';
import { dnValue, parseDn, type Rdn, sameDn } from './dn.ts';
import { keystoneLdapOptions } from './options.ts';

/** Where one kind of thing stands in the directory, and how its entries are called. */
export interface Kind {
  name: 'user' | 'tenant' | 'role';
  treeDn: string;
  idAttribute: string;
  nameAttribute: string;
  objectClass: string;
  /** What every entry of the kind fulfils. */
  filter: Filter;
  allowed: { create: boolean; update: boolean; delete: boolean };
  dnOf(id: string): string;
  /** The id in an entry's name; null for an entry that is none of the kind. */
  idOf(dn: string): string | null;
}

/** The directory as keystone.conf describes it. */
export interface Layout {
  user: Kind & { mailAttribute: string; passAttribute: string; enabled: EnabledAttribute | null };
  tenant: Kind & { memberAttribute: string; enabled: EnabledAttribute | null };
  role: Kind & { memberAttribute: string };
  /** Fields that are neither read nor written. */
  ignored: { user: ReadonlySet<string>; tenant: ReadonlySet<string> };
}

export interface EnabledAttribute {
  attribute: string;
  /** Bits that disable; 0: the attribute is TRUE or FALSE. */
  mask: number;
  fallback: string;
}

/** A member that is nobody: a group of LDAP has one at least. The original's, and always there as with it. */
export const DUMB_MEMBER = 'cn=dumb,dc=nonexistent';

/** An attribute as a filter or an entry may name it. */
const ATTRIBUTE = /^[A-Za-z][A-Za-z0-9;.-]*$/;

export const isFor = (attribute: string, value: string): Filter => new EqualityFilter({ attribute, value });
export const all = (...filters: Filter[]): Filter => new AndFilter({ filters });

/** Throws one sentence for what cannot be: nothing is asked of the directory yet. */
export function layoutOf(config: Config): Layout {
  const ldap = config.of(keystoneLdapOptions);
  for (const [option, value] of Object.entries(ldap)) {
    if (!/_(attribute|objectclass)$/.test(option) || value === null) continue;
    if (typeof value !== 'string' || !ATTRIBUTE.test(value))
      throw new Error(`keystone: [ldap] ${option} = ${value} is no name of LDAP`);
  }
  const set = (text: string) => new Set(text.split(',').map(field => field.trim()));
  return {
    user: {
      ...kindOf(config, 'user', 'ou=Users', ldap.user_name_attribute),
      mailAttribute: ldap.user_mail_attribute,
      passAttribute: ldap.user_pass_attribute,
      enabled: enabledBy(ldap.user_enabled_attribute, ldap.user_enabled_mask, ldap.user_enabled_default),
    },
    tenant: {
      ...kindOf(config, 'tenant', 'ou=Groups', ldap.tenant_name_attribute),
      memberAttribute: ldap.tenant_member_attribute,
      enabled: enabledBy(ldap.tenant_enabled_attribute, 0, 'True'),
    },
    // The name of a role is its common name, as with the original.
    role: { ...kindOf(config, 'role', 'ou=Roles', 'cn'), memberAttribute: ldap.role_member_attribute },
    ignored: { user: set(ldap.user_attribute_ignore), tenant: set(ldap.tenant_attribute_ignore) },
  };
}

const enabledBy = (attribute: string | null, mask: number, fallback: string): EnabledAttribute | null =>
  attribute === null ? null : { attribute, mask, fallback };

function kindOf(config: Config, name: Kind['name'], unit: string, nameAttribute: string): Kind {
  const ldap = config.of(keystoneLdapOptions);
  const treeDn = ldap[`${name}_tree_dn`] ?? `${unit},${ldap.suffix}`;
  const tree = parseDn(treeDn);
  if (tree === null || tree.length === 0)
    throw new Error(`keystone: [ldap] ${name}_tree_dn or suffix: ${treeDn} is no distinguished name`);
  const idAttribute = ldap[`${name}_id_attribute`];
  const objectClass = ldap[`${name}_objectclass`];
  const condition = ldap[`${name}_filter`];
  const ofClass = isFor('objectClass', objectClass);
  return {
    name,
    treeDn,
    idAttribute,
    nameAttribute,
    objectClass,
    filter: condition === null ? ofClass : all(ofClass, conditionOf(name, condition)),
    allowed: {
      create: ldap[`${name}_allow_create`],
      update: ldap[`${name}_allow_update`],
      delete: ldap[`${name}_allow_delete`],
    },
    dnOf: id => `${idAttribute}=${dnValue(id)},${treeDn}`,
    idOf: dn => idBelow(parseDn(dn), idAttribute, tree),
  };
}

/** The value of an entry's own part, if it has that attribute and stands right below another. */
export function idBelow(
  parts: readonly Rdn[] | null,
  attribute: string,
  parent: readonly Rdn[],
): string | null {
  const own = parts?.[0];
  if (!parts || own?.attribute !== attribute.toLowerCase()) return null;
  return sameDn(parts.slice(1), parent) ? own.value : null;
}

function conditionOf(name: string, text: string): Filter {
  try {
    return FilterParser.parseString(text);
  } catch (error) {
    throw new Error(`keystone: [ldap] ${name}_filter = ${text} is no filter: ${(error as Error).message}`);
  }
}
