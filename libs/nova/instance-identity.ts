import { type Database, fromSqlBool, prepared } from '@folsom/db';
import { novaFault } from './faults.ts';

/** The few columns by which daemons other than the compute agent know an instance. */
export interface InstanceIdentity {
  id: number;
  uuid: string;
  project_id: string | null;
  host: string | null;
  hostname: string | null;
  display_name: string | null;
  deleted: boolean;
}

/** Finds an instance by its number or uuid, deleted ones too: its addresses may have to be given back late. */
export async function instanceIdentity(db: Database, idOrUuid: number | string): Promise<InstanceIdentity> {
  const numeric = typeof idOrUuid === 'number' || /^\d+$/.test(idOrUuid);
  const row = await knownBy(db.knex, idOrUuid, numeric);
  if (row === undefined) throw novaFault('InstanceNotFound', { instance_id: idOrUuid });
  return { ...row, deleted: fromSqlBool(row.deleted) };
}

const knownBy = prepared((sql, idOrUuid: number | string, numeric: boolean) =>
  sql('instances')
    .where(numeric ? 'id' : 'uuid', idOrUuid)
    .first('id', 'uuid', 'project_id', 'host', 'hostname', 'display_name', 'deleted'),
);
