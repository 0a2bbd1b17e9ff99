import type { Knex } from '@folsom/db';
import { type Grant, grantFrom } from './grants.ts';
import { readExtra } from './stored-json.ts';
import type { Tenant } from './tenants.ts';
import type { User } from './users.ts';

/** Who and where, as a login names them: names count before ids. */
export interface LoginNames {
  userName?: string | undefined;
  userId?: string | undefined;
  tenantName?: string | undefined;
  tenantId?: string | undefined;
}

export interface LoginFacts {
  user: User | null;
  /** Null when none is named or it does not exist. */
  tenant: Tenant | null;
  /** The user's rights in that tenant. */
  grant: Grant;
}

interface Row {
  user_id: string;
  user_name: string;
  user_extra: string | null;
  tenant_id: string | null;
  tenant_name: string | null;
  tenant_extra: string | null;
  member: string | null;
  data: string | null;
}

/** Everything a login needs to know, in one question: it is asked more often than any other. */
export async function findLogin(knex: Knex, names: LoginNames): Promise<LoginFacts> {
  const user = names.userName ? (['name', names.userName] as const) : (['id', names.userId ?? ''] as const);
  const tenant = names.tenantName
    ? (['name', names.tenantName] as const)
    : (['id', names.tenantId ?? ''] as const);
  const query = knex('user as u')
    .leftJoin('tenant as t', on => on.on(knex.raw(`t.${tenant[0]} = ?`, [tenant[1]])))
    .leftJoin('user_tenant_membership as m', on => on.on('m.user_id', 'u.id').andOn('m.tenant_id', 't.id'))
    .leftJoin('metadata as d', on => on.on('d.user_id', 'u.id').andOn('d.tenant_id', 't.id'))
    .where(`u.${user[0]}`, user[1])
    .first({
      user_id: 'u.id',
      user_name: 'u.name',
      user_extra: 'u.extra',
      tenant_id: 't.id',
      tenant_name: 't.name',
      tenant_extra: 't.extra',
      member: 'm.user_id',
      data: 'd.data',
    });
  const row = (await query) as Row | undefined;
  if (!row) return { user: null, tenant: null, grant: grantFrom(false, null) };
  return {
    user: { id: row.user_id, name: row.user_name, extra: readExtra(row.user_extra) },
    tenant:
      row.tenant_id === null
        ? null
        : { id: row.tenant_id, name: row.tenant_name ?? '', extra: readExtra(row.tenant_extra) },
    grant: grantFrom(row.member !== null, row.data),
  };
}
