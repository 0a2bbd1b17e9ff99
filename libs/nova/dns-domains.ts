import { type Database, toSqlTime } from '@folsom/db';

/** A row of `dns_domains`. */
export interface DnsDomainRow {
  domain: string;
  /** `private`: names of instances of a zone; `public`: names that users enter for floating addresses. */
  scope: string | null;
  availability_zone: string | null;
  /** Whose public domain it is; null for everybody's. */
  project_id: string | null;
}

const COLUMNS = ['domain', 'scope', 'availability_zone', 'project_id'] as const;
const live = (db: Database) => db.knex('dns_domains').where('deleted', 0);

export const dnsDomains = async (db: Database): Promise<DnsDomainRow[]> =>
  live(db)
    .orderBy('domain')
    .select(...COLUMNS);

export const dnsDomain = async (db: Database, domain: string): Promise<DnsDomainRow | undefined> =>
  live(db)
    .where({ domain })
    .first(...COLUMNS);

/** Notes a domain, or changes whose it is. */
export async function registerDnsDomain(
  db: Database,
  domain: string,
  values:
    | { scope: 'private'; availability_zone: string | null }
    | { scope: 'public'; project_id: string | null },
  now: number,
): Promise<void> {
  const row = { domain, ...values, deleted: 0, deleted_at: null, created_at: toSqlTime(now) };
  await db
    .knex('dns_domains')
    .insert(row)
    .onConflict('domain')
    .merge({ ...values, deleted: 0, deleted_at: null, updated_at: toSqlTime(now) });
}

/** The row goes for good, as in the original. */
export const unregisterDnsDomain = async (db: Database, domain: string): Promise<void> => {
  await db.knex('dns_domains').where({ domain }).delete();
};
