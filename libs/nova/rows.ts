import { fromSqlBool, fromSqlTime, toSqlTime } from '@folsom/db';
import type { Knex } from 'knex';

/** A connection or a transaction: repositories take either. */
export type Sql = Knex | Knex.Transaction;

/** Columns every nova table carries. Times are milliseconds since the epoch. */
export interface RowBase {
  created_at: number | null;
  updated_at: number | null;
  deleted_at: number | null;
  deleted: boolean;
}

/** Which columns of a table need translating between SQL and ours. */
export interface Columns {
  times: readonly string[];
  bools: readonly string[];
}

export const columns = (times: readonly string[] = [], bools: readonly string[] = []): Columns => ({
  times: ['created_at', 'updated_at', 'deleted_at', ...times],
  bools: ['deleted', ...bools],
});

type Raw = Record<string, unknown>;

/** Translates a row as the driver gave it, in place: one that has every column of what it becomes. */
export function fromRow<T>(spec: Columns, row: { [Name in keyof T]: unknown }): T {
  const raw: Raw = row;
  for (const name of spec.times) {
    const value = raw[name];
    if (value !== null && value !== undefined) raw[name] = fromSqlTime(value as string);
    else if (value === undefined) continue;
  }
  for (const name of spec.bools) {
    const value = raw[name];
    if (value !== null && value !== undefined) raw[name] = fromSqlBool(value as number);
  }
  return raw as T;
}

/** Values as they are written. */
export function toRow(spec: Columns, values: Raw): Raw {
  const out: Raw = { ...values };
  for (const name of spec.times) {
    const value = out[name];
    if (typeof value === 'number') out[name] = toSqlTime(value);
  }
  for (const name of spec.bools) {
    const value = out[name];
    if (typeof value === 'boolean') out[name] = value ? 1 : 0;
  }
  return out;
}

/** `deleted = 0` for callers who do not ask for more. */
export const alive = { deleted: 0 } as const;

/** What a soft delete writes. */
export const deletion = (now: number): Raw => ({
  deleted: 1,
  deleted_at: toSqlTime(now),
  updated_at: toSqlTime(now),
});

/** `2012-09-27T10:00:00.000000` as messages carry times; null stays. */
export const wireTime = (ms: number | null): string | null =>
  ms === null || ms === undefined ? null : `${new Date(ms).toISOString().slice(0, 23)}000`;

/** The base columns as messages carry them. */
export const wireBase = (row: RowBase) => ({
  created_at: wireTime(row.created_at),
  updated_at: wireTime(row.updated_at),
  deleted_at: wireTime(row.deleted_at),
  deleted: row.deleted,
});

/** Groups rows by a key, keeping their order. */
export function groupBy<T, K>(rows: readonly T[], key: (row: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const row of rows) {
    const at = key(row);
    const group = groups.get(at);
    if (group) group.push(row);
    else groups.set(at, [row]);
  }
  return groups;
}
