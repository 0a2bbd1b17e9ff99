import { insertReturningId, type RowOf, toSqlTime } from '@folsom/db';
import { novaFault } from './faults.ts';
import { alive, columns, fromRow, type RowBase, type Sql } from './rows.ts';

/** A row of `services`: one daemon on one host. */
export interface ServiceRow extends RowBase {
  id: number;
  host: string;
  /** e.g. `nova-compute` */
  binary: string;
  topic: string;
  report_count: number;
  disabled: boolean;
  availability_zone: string;
}

type Raw = RowOf<'services'>;

const spec = columns([], ['disabled']);
export const serviceFrom = (raw: Raw): ServiceRow => {
  const row = fromRow<ServiceRow>(spec, raw);
  row.disabled = row.disabled ?? false;
  return row;
};

/** Whether a service has reported within `downTimeMs`, going by both clocks: one ahead of ours counts as well. */
export function serviceIsUp(
  service: Pick<ServiceRow, 'updated_at' | 'created_at'>,
  now: number,
  downTimeMs: number,
): boolean {
  const last = service.updated_at ?? service.created_at;
  return last !== null && Math.abs(now - last) <= downTimeMs;
}

export interface ServiceFilter {
  host?: string;
  binary?: string;
  topic?: string;
  disabled?: boolean;
}

/** Services in the order in which they were first seen. */
export async function listServices(sql: Sql, filter: ServiceFilter = {}): Promise<ServiceRow[]> {
  const query = sql('services').where(alive).orderBy('id');
  if (filter.host !== undefined) query.where({ host: filter.host });
  if (filter.binary !== undefined) query.where({ binary: filter.binary });
  if (filter.topic !== undefined) query.where({ topic: filter.topic });
  if (filter.disabled === true) query.where({ disabled: 1 });
  // A missing value means enabled, as rows of older releases have it.
  if (filter.disabled === false)
    query.where(where => void where.where({ disabled: 0 }).orWhereNull('disabled'));
  return (await query).map(serviceFrom);
}

/** @throws Fault `ServiceNotFound` */
export async function serviceById(sql: Sql, id: number): Promise<ServiceRow> {
  const raw = await sql('services')
    .where({ ...alive, id })
    .first();
  if (!raw) throw novaFault('ServiceNotFound', { service_id: id });
  return serviceFrom(raw);
}

/** @throws Fault `ServiceNotFound` */
export async function serviceByHostAndBinary(sql: Sql, host: string, binary: string): Promise<ServiceRow> {
  const [service] = await listServices(sql, { host, binary });
  if (!service) {
    throw novaFault(
      'ServiceNotFound',
      { service_id: host },
      {
        message: `Could not find binary ${binary} on host ${host}.`,
      },
    );
  }
  return service;
}

export interface ServiceIdentity {
  host: string;
  binary: string;
  topic: string;
  availability_zone: string;
  /** Whether it takes work before somebody enables it (`enable_new_services`). */
  enabledAtFirst?: boolean;
}

/** Finds the row of a daemon or makes it; a daemon that comes back keeps its row and whether it is disabled. */
export async function ensureService(sql: Sql, identity: ServiceIdentity, now: number): Promise<ServiceRow> {
  const [found] = await listServices(sql, { host: identity.host, binary: identity.binary });
  if (found) return found;
  const { enabledAtFirst = true, ...row } = identity;
  const id = await insertReturningId(sql, 'services', {
    ...row,
    report_count: 0,
    disabled: enabledAtFirst ? 0 : 1,
    deleted: 0,
    created_at: toSqlTime(now),
  });
  return serviceById(sql, id);
}

/** Counts a sign of life. False when the row is gone. */
export async function reportService(
  sql: Sql,
  id: number,
  availabilityZone: string,
  now: number,
): Promise<boolean> {
  const changed = await sql('services')
    .where({ ...alive, id })
    .update({
      report_count: sql.raw('report_count + 1'),
      availability_zone: availabilityZone,
      updated_at: toSqlTime(now),
    });
  return changed > 0;
}

/** Enables or disables; `updated_at` stays, since it is the sign of life. Gives how many rows were found. */
export async function setServicesDisabled(
  sql: Sql,
  filter: { host: string; binary?: string; topic?: string },
  disabled: boolean,
): Promise<number> {
  return sql('services')
    .where({ ...alive, ...filter })
    .update({ disabled: disabled ? 1 : 0 });
}
