import { readFileSync } from 'node:fs';
import type { World } from '@folsom/core';
import { must } from '@folsom/core';
import type { Database } from '@folsom/db';
import { newId } from '../api/dependencies.ts';
import type { Passwords } from '../passwords.ts';
import { createCredential } from '../repositories/ec2-credentials.ts';
import { addMember, grantRole } from '../repositories/grants.ts';
import { createRole, listRoles } from '../repositories/roles.ts';
import { createTenant } from '../repositories/tenants.ts';
import { createUser } from '../repositories/users.ts';
import { hashAll } from './hash-all.ts';

/** What `nova-manage export auth` of an older nova writes. */
interface NovaAuth {
  tenants: { id: string; description: string }[];
  users: { id: string; password: string }[];
  user_tenant_list: { user_id: string; tenant_id: string }[];
  roles: string[];
  role_user_tenant_list: { role: string; user_id: string; tenant_id: string }[];
  ec2_credentials: { user_id: string; access_key: string; secret_key: string }[];
}

const LISTS = [
  'tenants',
  'users',
  'user_tenant_list',
  'roles',
  'role_user_tenant_list',
  'ec2_credentials',
] as const;

/** Imports tenants, users, roles and EC2 pairs of a nova that kept them itself. All or nothing. */
export async function importNovaAuth(
  deps: { db: Database; world: World; passwords: Passwords },
  file: string,
): Promise<void> {
  const { db, world } = deps;
  const data = readDump(file);
  const id = () => newId(world);
  const known = (map: Map<string, string>, kind: string, name: string): string => {
    const found = map.get(name);
    if (found === undefined) throw new Error(`${file}: there is no ${kind} "${name}"`);
    return found;
  };
  const hashes = await hashAll(
    deps.passwords,
    data.users.map(user => [user.id, user.password] as const),
  );

  await db.transaction(async trx => {
    const tenants = new Map(data.tenants.map(tenant => [tenant.id, id()]));
    for (const { id: name, description } of data.tenants) {
      await createTenant(trx, {
        id: must(tenants.get(name), 'tenants has name'),
        name,
        extra: { description, enabled: true },
      });
    }
    const users = new Map(data.users.map(user => [user.id, id()]));
    for (const { id: name } of data.users) {
      const extra = { email: '', password: hashes.get(name), enabled: true };
      await createUser(trx, { id: must(users.get(name), 'users has name'), name, extra });
    }
    const memberships = new Map<string, Set<string>>();
    for (const item of data.user_tenant_list) {
      const userId = known(users, 'user', item.user_id);
      const tenantId = known(tenants, 'tenant', item.tenant_id);
      await addMember(trx, userId, tenantId);
      memberships.set(userId, (memberships.get(userId) ?? new Set()).add(tenantId));
    }
    const roles = new Map((await listRoles(trx)).map(role => [role.name, role.id]));
    for (const name of data.roles) {
      if (roles.has(name)) continue;
      const role = { id: id(), name };
      await createRole(trx, role);
      roles.set(name, role.id);
    }
    for (const item of data.role_user_tenant_list) {
      const userId = known(users, 'user', item.user_id);
      const tenantId = known(tenants, 'tenant', item.tenant_id);
      await grantRole(trx, userId, tenantId, known(roles, 'role', item.role));
      memberships.set(userId, (memberships.get(userId) ?? new Set()).add(tenantId));
    }
    for (const item of data.ec2_credentials) {
      const userId = known(users, 'user', item.user_id);
      for (const tenantId of memberships.get(userId) ?? []) {
        await createCredential(trx, {
          access: `${tenantId}:${item.access_key}`,
          secret: item.secret_key,
          user_id: userId,
          tenant_id: tenantId,
        });
      }
    }
  });
}

function readDump(file: string): NovaAuth {
  const value = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  for (const list of LISTS) {
    if (!Array.isArray(value?.[list])) throw new Error(`${file}: the list "${list}" is missing`);
  }
  return value as unknown as NovaAuth;
}
