import { must } from '@folsom/core';
import type { Database } from '@folsom/db';
import { isDuplicate } from '@folsom/db';
import type { Passwords } from '../passwords.ts';
import { createCredential } from '../repositories/ec2-credentials.ts';
import { addMember, grantRole } from '../repositories/grants.ts';
import { createRole } from '../repositories/roles.ts';
import { createTenant } from '../repositories/tenants.ts';
import { createUser } from '../repositories/users.ts';
import { hashAll } from './hash-all.ts';

type Row = Record<string, unknown>;

const text = (value: unknown, fallback = ''): string =>
  value === null || value === undefined ? fallback : String(value);
/** Integers of a database without booleans. */
const flag = (value: unknown): boolean =>
  value === undefined || value === true || value === 1 || value === '1';

/**
 * Takes tenants, users, roles, grants and EC2 pairs over from a database of Diablo and before. All or nothing. The oldest
 * hold passwords as they were typed; here they are hashed.
 */
export async function importLegacy(
  { db, passwords }: { db: Database; passwords: Passwords },
  legacy: Database,
): Promise<void> {
  const read = async (table: string): Promise<Row[]> => legacy.knex(table).select();
  const [tenants, users, roles, grants, credentials] = await Promise.all(
    ['tenants', 'users', 'roles', 'user_roles', 'credentials'].map(read),
  );
  const hashes = await hashAll(
    passwords,
    must(users, 'users is there').map(
      row => [text(row.id), row.password ? text(row.password) : null] as const,
    ),
  );
  await db.transaction(async trx => {
    // Rows refer to each other by number, the outside world knows the uid.
    const tenantIds = new Map<string, string>();
    for (const row of must(tenants, 'tenants is there')) {
      const id = text(row.uid ?? row.id);
      tenantIds.set(text(row.id), id);
      const extra = { description: text(row.desc), enabled: flag(row.enabled) };
      await createTenant(trx, { id, name: text(row.name, id), extra });
    }
    const userIds = new Map<string, string>();
    for (const row of must(users, 'users is there')) {
      const id = text(row.uid ?? row.id);
      userIds.set(text(row.id), id);
      const tenantId = tenantIds.get(text(row.tenant_id));
      const extra = {
        email: text(row.email),
        password: hashes.get(text(row.id)) ?? null,
        enabled: flag(row.enabled),
        ...(tenantId === undefined ? {} : { tenant_id: tenantId }),
      };
      await createUser(trx, { id, name: text(row.name, id), extra });
      if (tenantId !== undefined) await addMember(trx, id, tenantId);
    }
    for (const row of must(roles, 'roles is there')) {
      const id = text(row.id);
      await createRole(trx, { id, name: text(row.name, id) });
    }
    for (const row of must(grants, 'grants is there')) {
      const userId = userIds.get(text(row.user_id));
      const tenantId = tenantIds.get(text(row.tenant_id));
      if (userId === undefined || tenantId === undefined || !row.role_id) continue;
      await grantRole(trx, userId, tenantId, text(row.role_id));
    }
    for (const row of must(credentials, 'credentials is there')) {
      const userId = userIds.get(text(row.user_id)) ?? text(row.user_id);
      const tenantId = tenantIds.get(text(row.tenant_id)) ?? text(row.tenant_id);
      try {
        await createCredential(trx, {
          access: text(row.key),
          secret: text(row.secret),
          user_id: userId,
          tenant_id: tenantId,
        });
      } catch (error) {
        if (!isDuplicate(error)) throw error;
      }
    }
  });
}

/** The catalog of a Diablo database as the lines of a catalog template file. */
export async function legacyCatalog(legacy: Database): Promise<string[]> {
  const services: Row[] = await legacy.knex('services').select();
  const templates: Row[] = await legacy.knex('endpoint_templates').select();
  const byId = new Map(services.map(service => [text(service.id), service]));
  return templates.flatMap(row => {
    const service = byId.get(text(row.service_id));
    if (!service) return [];
    const line = (key: string, value: unknown) =>
      `catalog.${text(row.region)}.${text(service.type)}.${key} = ${text(value, 'None').replace(/%([\w]+)%/g, '$($1)s')}`;
    return [
      line('internalURL', row.internal_url),
      line('publicURL', row.public_url),
      line('adminURL', row.admin_url),
      line('enabled', row.enabled),
      line('name', service.desc),
    ];
  });
}
