import type { Grant } from './repositories/grants.ts';
import type { LoginFacts, LoginNames } from './repositories/login.ts';
import type { Page } from './repositories/named-rows.ts';
import type { Role } from './repositories/roles.ts';
import type { Tenant } from './repositories/tenants.ts';
import type { User } from './repositories/users.ts';

/** Whose tokens a change ends: a user's, a tenant's, a user's in a tenant, or those with a role. */
export type Ends = { userId: string; tenantId?: string } | { tenantId: string } | { role: Role };

/** Role ids of a user by tenant. */
export interface GrantIn {
  tenantId: string;
  roleIds: string[];
}

/** What a change may look at: as it is while the change is made. */
export interface IdentityLookups {
  /** @throws UserNotFound */
  getUser(id: string): Promise<User>;
  /** @throws TenantNotFound */
  getTenant(id: string): Promise<Tenant>;
  /** @throws RoleNotFound */
  getRole(id: string): Promise<Role>;
}

/** What can be changed. Something that is there already is a Conflict, something that is not is a fault by its name. */
export interface IdentityChanges extends IdentityLookups {
  /** What is stored, as the maker may see it. */
  createUser(user: User): Promise<User>;
  /** Lays changes over what is stored; a password comes hashed. */
  updateUser(id: string, changes: Readonly<Record<string, unknown>>): Promise<User>;
  /** With memberships, grants and EC2 credentials. */
  deleteUser(id: string): Promise<void>;
  createTenant(tenant: Tenant): Promise<Tenant>;
  updateTenant(id: string, changes: Readonly<Record<string, unknown>>): Promise<Tenant>;
  /** With memberships, grants and EC2 credentials. */
  deleteTenant(id: string): Promise<void>;
  createRole(role: Role): Promise<void>;
  /** And takes it from everybody. */
  deleteRole(id: string): Promise<void>;
  addMember(userId: string, tenantId: string): Promise<void>;
  /** Gives the role and makes the user a member. */
  grantRole(userId: string, tenantId: string, roleId: string): Promise<void>;
  /** Takes the role away; the user leaves the tenant with the last one. */
  revokeRole(userId: string, tenantId: string, roleId: string): Promise<void>;
}

/** Who there is and what they may do where: in the database, or in a directory. Tokens, catalog and EC2 pairs are no part of it. */
export interface Identities extends IdentityLookups {
  /** Everything a login needs to know, but for the password. */
  findLogin(names: LoginNames): Promise<LoginFacts>;
  /**
   * Whether the password is this user's. An empty one never is. Takes the same time for a user who does not exist (null).
   *
   * @param who the name or id that was asked for, whether it exists or not: its requests wait for each other
   */
  verify(who: string, user: User | null, password: string): Promise<boolean>;
  /** A new password in the form in which it is stored. */
  hash(who: string, password: string): Promise<string>;
  findUser(id: string): Promise<User | null>;
  findTenant(id: string): Promise<Tenant | null>;
  listUsers(): Promise<User[]>;
  listRoles(): Promise<Role[]>;
  /** A page of all tenants in an order that stays; null when there is no such marker. */
  pageOfTenants(page: Page): Promise<Tenant[] | null>;
  /** The same of those that a user is a member of. */
  pageOfTenantsOf(userId: string, page: Page): Promise<Tenant[] | null>;
  listMembers(tenantId: string): Promise<User[]>;
  findGrant(userId: string, tenantId: string): Promise<Grant>;
  /** Of the tenants that the user is a member of. */
  listGrantsOf(userId: string): Promise<GrantIn[]>;
  /**
   * Makes changes that belong together, and ends the tokens that say otherwise: none that was issued before the change is good
   * after it, also when the change is made halfway only.
   */
  change<T>(ends: Ends | null, work: (changes: IdentityChanges) => Promise<T>): Promise<T>;
  /** What must answer beside the database for this service to be ready. */
  readonly checks: Readonly<Record<string, () => Promise<void>>>;
  /** Whether an error says that where identities are kept is away. */
  isAway(error: unknown): boolean;
  stop(): Promise<void>;
}
