import { must } from '@folsom/core';
import type { Knex } from 'knex';
import { keystoneOwnTables, keystoneTables } from './keystone-tables.ts';
import { bool, type Schema } from './table.ts';

export const keystoneSchema: Schema = {
  repositoryId: 'keystone',
  version: 4,
  oldestVersion: 1,
  tables: keystoneTables,
  seed: [],
  // Versions 2 and 4 rewrote token ids and back; tokens of that age have long expired.
  upgrades: [{ from: 2, addColumns: { token: { valid: bool } } }],
  extraTables: keystoneOwnTables,
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
    after = must(rows.at(-1), 'rows is not empty').id;
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
