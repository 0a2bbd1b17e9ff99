import { bigint, bool, datetime, required, string, type Table, table, text, varchar } from './table.ts';

/** Tables of keystone. */
export const keystoneTables = [
  table(
    'user',
    { id: required(varchar(64)), name: required(varchar(64)), extra: text },
    { unique: { name: ['name'] } },
  ),
  table(
    'tenant',
    { id: required(varchar(64)), name: required(varchar(64)), extra: text },
    { unique: { name: ['name'] } },
  ),
  table('role', { id: required(varchar(64)), name: required(varchar(64)) }, { unique: { name: ['name'] } }),
  table('service', { id: required(varchar(64)), type: string, extra: text }),
  table(
    'endpoint',
    { id: required(varchar(64)), region: string, service_id: required(varchar(64)), extra: text },
    {
      indexes: { service_id: ['service_id'] },
      references: { endpoint_ibfk_1: ['service_id', 'service.id'] },
    },
  ),
  table(
    'metadata',
    { user_id: required(varchar(64)), tenant_id: required(varchar(64)), data: text },
    { primaryKey: ['user_id', 'tenant_id'] },
  ),
  table(
    'user_tenant_membership',
    { user_id: required(varchar(64)), tenant_id: required(varchar(64)) },
    {
      primaryKey: ['user_id', 'tenant_id'],
      indexes: { tenant_id: ['tenant_id'] },
      references: {
        user_tenant_membership_ibfk_1: ['user_id', 'user.id'],
        user_tenant_membership_ibfk_2: ['tenant_id', 'tenant.id'],
      },
    },
  ),
  table('token', { id: required(varchar(64)), expires: datetime, extra: text, valid: required(bool) }),
  table(
    'ec2_credential',
    { access: required(varchar(64)), secret: varchar(64), user_id: varchar(64), tenant_id: varchar(64) },
    { primaryKey: ['access'] },
  ),
] as const satisfies readonly Table[];

/** Tables of our own; an original on the same database does not see them. */
export const keystoneOwnTables = [
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
] as const satisfies readonly Table[];
