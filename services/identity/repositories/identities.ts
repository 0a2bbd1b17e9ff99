import type { Database, Knex } from '@folsom/db';
import type { Identities, IdentityChanges } from '../identities.ts';
import type { Passwords } from '../passwords.ts';
import type { EndTokens } from '../tokens/end-tokens.ts';
import { addMember, findGrant, forgetRole, grantRole, listGrantsOfUser, revokeRole } from './grants.ts';
import { findLogin } from './login.ts';
import { createRole, deleteRole, getRole, listRoles } from './roles.ts';
import {
  createTenant,
  deleteTenant,
  findTenant,
  getTenant,
  isTenantOfUser,
  listTenantsOfUser,
  pageOfTenants,
  updateTenant,
} from './tenants.ts';
import {
  createUser,
  deleteUser,
  findUser,
  getUser,
  listUsers,
  listUsersOfTenant,
  updateUser,
} from './users.ts';

/** Users, tenants, roles and grants in the database; a change and the end of its tokens are one transaction. */
export function databaseIdentities(options: {
  db: Database;
  passwords: Passwords;
  endTokens: EndTokens;
}): Identities {
  const { db, passwords, endTokens } = options;
  const { knex } = db;
  return {
    findLogin: names => findLogin(knex, names),
    verify: passwords.verify,
    hash: passwords.hash,
    findUser: id => findUser(knex, id),
    getUser: id => getUser(knex, id),
    listUsers: () => listUsers(knex),
    findTenant: id => findTenant(knex, id),
    getTenant: id => getTenant(knex, id),
    pageOfTenants: page => pageOfTenants(db, page),
    pageOfTenantsOf: async (userId, page) => {
      const known = page.marker === undefined || (await isTenantOfUser(knex, page.marker, userId));
      return known ? listTenantsOfUser(knex, userId, page) : null;
    },
    listMembers: tenantId => listUsersOfTenant(knex, tenantId),
    getRole: id => getRole(knex, id),
    listRoles: () => listRoles(knex),
    findGrant: (userId, tenantId) => findGrant(knex, userId, tenantId),
    listGrantsOf: userId => listGrantsOfUser(knex, userId),
    change: async (ends, work) => {
      const { result, revoked } = await db.transaction(async trx => ({
        result: await work(changesIn(trx)),
        revoked: ends === null ? [] : await endTokens.within(trx, ends),
      }));
      endTokens.publish(revoked);
      return result;
    },
    checks: {},
    isAway: () => false,
    stop: async () => {},
  };
}

const changesIn = (trx: Knex): IdentityChanges => ({
  getUser: id => getUser(trx, id),
  getTenant: id => getTenant(trx, id),
  getRole: id => getRole(trx, id),
  createUser: async user => {
    await createUser(trx, user);
    return user;
  },
  updateUser: async (id, changes) => (await updateUser(trx, id, changes)).after,
  deleteUser: id => deleteUser(trx, id),
  createTenant: async tenant => {
    await createTenant(trx, tenant);
    return tenant;
  },
  updateTenant: async (id, changes) => (await updateTenant(trx, id, changes)).after,
  deleteTenant: id => deleteTenant(trx, id),
  createRole: role => createRole(trx, role),
  deleteRole: async id => {
    await deleteRole(trx, id);
    await forgetRole(trx, id);
  },
  addMember: (userId, tenantId) => addMember(trx, userId, tenantId),
  grantRole: (userId, tenantId, roleId) => grantRole(trx, userId, tenantId, roleId),
  revokeRole: (userId, tenantId, roleId) => revokeRole(trx, userId, tenantId, roleId),
});
