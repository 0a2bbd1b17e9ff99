import { bool, int, options, secret, str } from '@folsom/config';

const of = (what: string) => ({
  allow_create: bool(true, `Of later releases: whether ${what} may be made`),
  allow_update: bool(true, `Of later releases: whether ${what} may be changed`),
  allow_delete: bool(true, `Of later releases: whether ${what} may be deleted`),
});
const users = of('users');
const tenants = of('tenants');
const roles = of('roles');
const FILTER = 'Of later releases: further condition for';
const ignored = (what: string) =>
  str('', `Of later releases: fields of ${what}, by commas, that are neither read nor written`);

/** Where identities are kept with `[identity] driver = keystone.identity.backends.ldap.Identity`; names and defaults are Folsom's. */
export const keystoneLdapOptions = options('ldap', {
  url: str(
    'ldap://localhost',
    'The directory: ldap://HOST:PORT or ldaps://…; several by spaces, tried in turn',
  ),
  user: str('dc=Manager,dc=example,dc=com', 'Name to bind as; empty: anonymous'),
  password: secret('freeipa4all', 'Its password'),
  suffix: str('cn=example,cn=com', 'Where the trees stand that have no tree_dn'),

  user_tree_dn: str(null, 'Users stand here; unset: ou=Users below the suffix'),
  user_objectclass: str('inetOrgPerson', 'Object class of users'),
  user_id_attribute: str('cn', "Attribute of a user's id: the one the entry is called by"),
  user_name_attribute: str('sn', "Attribute of a user's name"),
  user_mail_attribute: str('mail', "Of later releases: attribute of a user's address"),
  user_pass_attribute: str('userPassword', "Of later releases: attribute of a user's password"),
  user_enabled_attribute: str(
    null,
    'Of later releases: attribute that says whether a user is enabled; unset: users cannot be disabled',
  ),
  user_enabled_mask: int(0, 'Of later releases: bits of it that disable, e.g. 2 in userAccountControl', {
    min: 0,
  }),
  user_enabled_default: str('True', 'Of later releases: its value for a new user who is enabled'),
  user_attribute_ignore: ignored('users'),
  user_filter: str(null, `${FILTER} users, e.g. (memberOf=cn=openstack,dc=example,dc=com)`),
  user_allow_create: users.allow_create,
  user_allow_update: users.allow_update,
  user_allow_delete: users.allow_delete,

  tenant_tree_dn: str(null, 'Tenants stand here; unset: ou=Groups below the suffix'),
  tenant_objectclass: str('groupOfNames', 'Object class of tenants'),
  tenant_id_attribute: str('cn', "Attribute of a tenant's id: the one the entry is called by"),
  tenant_member_attribute: str('member', "Attribute of a tenant's members"),
  tenant_name_attribute: str('ou', "Attribute of a tenant's name"),
  tenant_enabled_attribute: str(
    null,
    'Of later releases: attribute that says whether a tenant is enabled; unset: tenants cannot be disabled',
  ),
  tenant_attribute_ignore: ignored('tenants'),
  tenant_filter: str(null, `${FILTER} tenants`),
  tenant_allow_create: tenants.allow_create,
  tenant_allow_update: tenants.allow_update,
  tenant_allow_delete: tenants.allow_delete,

  role_tree_dn: str(null, 'Roles stand here; unset: ou=Roles below the suffix'),
  role_objectclass: str('organizationalRole', 'Object class of roles, and of grants below their tenant'),
  role_id_attribute: str('cn', "Attribute of a role's id: the one the entry is called by"),
  role_member_attribute: str('roleOccupant', 'Attribute of those who have a role in a tenant'),
  role_filter: str(null, `${FILTER} roles`),
  role_allow_create: roles.allow_create,
  role_allow_update: roles.allow_update,
  role_allow_delete: roles.allow_delete,

  use_tls: bool(false, 'Of later releases: StartTLS on ldap://'),
  tls_cacertfile: str(
    null,
    'Of later releases: authority of the directory’s certificate; unset: those of the system',
  ),
  page_size: int(500, 'Of later releases: entries that are asked for at a time', { min: 1 }),
  pool_size: int(10, 'Our own: connections at most, and as many again that check passwords', { min: 1 }),
  timeout: int(10, 'Our own: seconds that the directory has for an answer', { min: 1 }),
});
