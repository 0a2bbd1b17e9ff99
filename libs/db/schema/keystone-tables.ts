import { bool, datetime, required, string, type Table, table, text, varchar } from './table.ts';

/** Tables of keystone. */
export const keystoneTables: readonly Table[] = [
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
];
