import { toSqlTime } from '@folsom/db';
import { alive, type Sql } from './rows.ts';

/** A row of `certificates`: which file below the authority's directory is whose. */
export interface CertificateFile {
  user_id: string;
  project_id: string;
  file_name: string;
}

export async function recordCertificate(sql: Sql, certificate: CertificateFile, now: number): Promise<void> {
  await sql('certificates').insert({ ...certificate, deleted: 0, created_at: toSqlTime(now) });
}

/** Certificates of a user, of a tenant, or of a user in a tenant. */
export async function certificatesOf(
  sql: Sql,
  filter: { user_id?: string; project_id?: string },
): Promise<CertificateFile[]> {
  return sql('certificates')
    .where({ ...alive, ...filter })
    .orderBy('id')
    .select('user_id', 'project_id', 'file_name');
}
