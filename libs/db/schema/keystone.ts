import type { Knex } from 'knex';
import { keystoneTables } from './keystone-tables.ts';
import { bigint, bool, datetime, required, type Schema, table, varchar } from './table.ts';

export const keystoneSchema: Schema = {
  repositoryId: 'keystone',
  version: 4,
  oldestVersion: 1,
  tables: keystoneTables,
  seed: [],
  // Versions 2 and 4 rewrote token ids and back; tokens of that age have long expired.
  upgrades: [{ from: 2, addColumns: { token: { valid: bool } } }],
  extraTables: [
    // Who holds a stored token: the original keeps that inside a JSON text, where no index reaches.
    table(
      'folsom_token_owner',
      {
        token_id: required(varchar(64)),
        user_id: required(varchar(64)),
        tenant_id: varchar(64),
        expires: datetime,
      },
      {
        primaryKey: ['token_id'],
        indexes: {
          folsom_token_owner_user: ['user_id', 'tenant_id'],
          folsom_token_owner_tenant: ['tenant_id'],
          folsom_token_owner_expires: ['expires'],
        },
      },
    ),
    // What ends signed tokens early: by token, user, tenant, role, or user in a tenant. Times in milliseconds.
    table(
      'folsom_revocation',
      {
        kind: required(varchar(16)),
        subject: required(varchar(160)),
        issued_before: required(bigint),
        revoked_at: required(bigint),
        expires: required(bigint),
      },
      {
        primaryKey: ['kind', 'subject'],
        indexes: { folsom_revocation_revoked_at: ['revoked_at'], folsom_revocation_expires: ['expires'] },
      },
    ),
    // How far work over a whole table has come, and which process does it. Times in milliseconds.
    table(
      'folsom_progress',
      {
        name: required(varchar(64)),
        holder: required(varchar(64)),
        held_until: required(bigint),
        marker: required(varchar(255)),
        finished_at: bigint,
      },
      { primaryKey: ['name'] },
    ),
  ],
  fill: { folsom_token_owner: recordTokenOwners },
  extraIndexes: {
    token: { folsom_token_expires: ['expires'], folsom_token_valid: ['valid', 'expires'] },
    metadata: { folsom_metadata_tenant_id: ['tenant_id'] },
    ec2_credential: {
      folsom_ec2_credential_user_id: ['user_id'],
      folsom_ec2_credential_tenant_id: ['tenant_id'],
    },
    service: { folsom_service_type: ['type'] },
  },
  syncCommand: 'keystone-manage db_sync',
};

const TOKENS_A_PAGE = 400;

/** Tokens that an original issued must end with their user and tenant like our own. */
async function recordTokenOwners(sql: Knex): Promise<void> {
  for (let after = ''; ; ) {
    const rows: { id: string; expires: string | null; extra: string | null }[] = await sql('token')
      .where('id', '>', after)
      .andWhere('valid', 1)
      .andWhere(
        living => void living.whereNull('expires').orWhere('expires', '>', sql.raw('CURRENT_TIMESTAMP')),
      )
      .orderBy('id')
      .limit(TOKENS_A_PAGE)
      .select('id', 'expires', 'extra');
    const owners = rows.flatMap(({ id, expires, extra }) => {
      const holder = holderOf(extra);
      return holder === undefined ? [] : [{ token_id: id, ...holder, expires }];
    });
    if (owners.length > 0) await sql('folsom_token_owner').insert(owners);
    if (rows.length < TOKENS_A_PAGE) return;
    after = rows.at(-1)!.id;
  }
}

function holderOf(extra: string | null): { user_id: string; tenant_id: string | null } | undefined {
  try {
    const { user, tenant } = JSON.parse(extra ?? '') as Record<string, { id?: unknown } | null | undefined>;
    if (typeof user?.id !== 'string') return undefined;
    return { user_id: user.id, tenant_id: typeof tenant?.id === 'string' ? tenant.id : null };
  } catch {
    return undefined;
  }
}
