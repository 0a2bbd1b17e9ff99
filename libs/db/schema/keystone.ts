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
  ],
  extraIndexes: {
    token: { folsom_token_expires: ['expires'] },
    metadata: { folsom_metadata_tenant_id: ['tenant_id'] },
    ec2_credential: {
      folsom_ec2_credential_user_id: ['user_id'],
      folsom_ec2_credential_tenant_id: ['tenant_id'],
    },
    service: { folsom_service_type: ['type'] },
  },
  syncCommand: 'keystone-manage db_sync',
};
