import type { Knex } from 'knex';
import { toSqlTime } from './time.ts';

/** A database or a transaction on it. */
export type Queries = Knex | Knex.Transaction;

/** SQLite takes at most 32,766 values in a statement, MySQL packets have limits too. */
export const IN_VALUES_MAX = 500;
const INSERT_VALUES_MAX = 5_000;
/** SQLite joins at most 500 rows in one INSERT. */
const INSERT_ROWS_MAX = 400;

export type Conditions = Readonly<Record<string, unknown>>;

/** Equality on every column; an array means any of its values, null means IS NULL. */
export function whereAll<Q extends Knex.QueryBuilder>(query: Q, conditions: Conditions): Q {
  for (const [column, value] of Object.entries(conditions)) {
    if (value === null) query.whereNull(column);
    else if (Array.isArray(value)) whereAnyOf(query, column, value);
    else query.where(column, value as Knex.Value);
  }
  return query;
}

function whereAnyOf(query: Knex.QueryBuilder, column: string, values: readonly unknown[]): void {
  const some = values.filter(value => value !== null) as Knex.Value[];
  query.where(inner => {
    inner.whereIn(column, some);
    if (some.length < values.length) inner.orWhereNull(column);
  });
}

/**
 * Compare-and-set: changes the rows that meet the conditions, in one statement, and returns how many did.
 * 0 means that somebody else was faster.
 */
export const updateWhere = async (
  queries: Queries,
  table: string,
  conditions: Conditions,
  values: Readonly<Record<string, unknown>>,
): Promise<number> => Number(await whereAll(queries(table), conditions).update(values));

/**
 * Marks rows as deleted as Folsom does: `deleted` and `deleted_at` change, `updated_at` stays. Rows already
 * deleted are left alone. Returns how many were marked.
 */
export const softDeleteWhere = (
  queries: Queries,
  table: string,
  conditions: Conditions,
  nowMs: number,
): Promise<number> =>
  updateWhere(queries, table, { deleted: 0, ...conditions }, { deleted: 1, deleted_at: toSqlTime(nowMs) });

/**
 * `column IN (values)` for a list of any length. On SQLite the list travels as one value, so that lists of every length share one
 * prepared statement.
 */
export function whereListed<Q extends Knex.QueryBuilder>(
  query: Q,
  column: string,
  values: readonly string[],
): Q {
  if (isSqlite(query))
    query.whereRaw('?? IN (SELECT value FROM json_each(?))', [column, JSON.stringify(values)]);
  else query.whereIn(column, [...values]);
  return query;
}

const isSqlite = (query: Knex.QueryBuilder): boolean => query.client.dialect === 'sqlite3';

/** Runs a query for every batch of values and joins the rows: for lists of unknown length after IN. */
export async function inBatches<Value, Row>(
  values: Iterable<Value>,
  query: (batch: Value[]) => PromiseLike<Row[]>,
  size = IN_VALUES_MAX,
): Promise<Row[]> {
  const distinct = [...new Set(values)];
  const rows: Row[] = [];
  for (let at = 0; at < distinct.length; at += size)
    rows.push(...(await query(distinct.slice(at, at + size))));
  return rows;
}

/** Inserts any number of rows of the same columns; the caller's transaction makes it all or nothing. */
export async function insertRows(
  queries: Queries,
  table: string,
  rows: readonly Readonly<Record<string, unknown>>[],
): Promise<void> {
  const width = Math.max(1, Object.keys(rows[0] ?? {}).length);
  const size = Math.min(INSERT_ROWS_MAX, Math.max(1, Math.floor(INSERT_VALUES_MAX / width)));
  for (let at = 0; at < rows.length; at += size) await queries(table).insert(rows.slice(at, at + size));
}

/** Inserts one row and returns its serial id. */
export async function insertReturningId(
  queries: Queries,
  table: string,
  row: Readonly<Record<string, unknown>>,
): Promise<number> {
  const [id] = await queries(table).insert(row);
  return Number(id);
}
