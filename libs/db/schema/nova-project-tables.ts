import {
  datetime,
  int,
  required,
  serial,
  softDelete,
  string,
  type Table,
  table,
  text,
  uuid,
} from './table.ts';

/** What belongs to users and projects: key pairs, certificates, quotas, EC2 ids. */
export const projectTables = [
  table(
    'key_pairs',
    { ...softDelete, id: serial, name: string, user_id: string, fingerprint: string, public_key: text },
    { indexes: { key_pair_user_id_name_idx: ['user_id', 'name'] } },
  ),
  table(
    'certificates',
    { ...softDelete, id: serial, user_id: string, project_id: string, file_name: string },
    {
      indexes: {
        certificates_project_id_deleted_idx: ['project_id', 'deleted'],
        certificates_user_id_deleted_idx: ['user_id', 'deleted'],
      },
    },
  ),
  table('quotas', {
    id: serial,
    ...softDelete,
    project_id: string,
    resource: required(string),
    hard_limit: int,
  }),
  table(
    'quota_classes',
    { ...softDelete, id: serial, class_name: string, resource: string, hard_limit: int },
    { indexes: { ix_quota_classes_class_name: ['class_name'] } },
  ),
  table(
    'quota_usages',
    {
      ...softDelete,
      id: serial,
      project_id: string,
      resource: string,
      in_use: required(int),
      reserved: required(int),
      until_refresh: int,
    },
    { indexes: { ix_quota_usages_project_id: ['project_id'] } },
  ),
  table(
    'reservations',
    {
      ...softDelete,
      id: serial,
      uuid: required(uuid),
      usage_id: required(int),
      project_id: string,
      resource: string,
      delta: required(int),
      expire: datetime,
    },
    {
      indexes: { usage_id: ['usage_id'], ix_reservations_project_id: ['project_id'] },
      references: { reservations_ibfk_1: ['usage_id', 'quota_usages.id'] },
    },
  ),
  table('s3_images', { ...softDelete, id: serial, uuid: required(uuid) }),
] as const satisfies readonly Table[];
