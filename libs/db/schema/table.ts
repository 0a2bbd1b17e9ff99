import type { Knex } from 'knex';

/** Declarations of tables: plain data from which the statements of both databases are made. */

export type ColumnType =
  | { kind: 'serial' | 'int' | 'bigint' | 'float' | 'bool' | 'datetime' | 'text' | 'longtext' }
  | { kind: 'varchar'; length: number };

export type Column = ColumnType & { required?: boolean };

export interface TableOptions {
  /** Default: `id`. */
  primaryKey?: readonly string[];
  /** Index name to columns. */
  indexes?: Readonly<Record<string, readonly string[]>>;
  unique?: Readonly<Record<string, readonly string[]>>;
  /** Constraint name to [column, `table.column`]. */
  references?: Readonly<Record<string, readonly [string, string]>>;
}

export interface Table {
  name: string;
  columns: Readonly<Record<string, Column>>;
  primaryKey: readonly string[];
  indexes: Readonly<Record<string, readonly string[]>>;
  unique: Readonly<Record<string, readonly string[]>>;
  references: Readonly<Record<string, readonly [string, string]>>;
}

export const serial: Column = { kind: 'serial' };
export const int: Column = { kind: 'int' };
export const bigint: Column = { kind: 'bigint' };
export const float: Column = { kind: 'float' };
/** 0 or 1. */
export const bool: Column = { kind: 'bool' };
/** UTC. */
export const datetime: Column = { kind: 'datetime' };
export const text: Column = { kind: 'text' };
/** Above MySQL's 64 KiB of a text. */
export const longtext: Column = { kind: 'longtext' };
export const varchar = (length: number): Column => ({ kind: 'varchar', length });
export const string: Column = varchar(255);
export const uuid: Column = varchar(36);
export const required = (column: Column): Column => ({ ...column, required: true });

/** The columns that nearly every table of nova begins with. */
export const softDelete = {
  created_at: datetime,
  updated_at: datetime,
  deleted_at: datetime,
  deleted: bool,
} as const;

export const table = (
  name: string,
  columns: Readonly<Record<string, Column>>,
  options: TableOptions = {},
): Table => ({
  name,
  columns,
  primaryKey: options.primaryKey ?? ['id'],
  indexes: options.indexes ?? {},
  unique: options.unique ?? {},
  references: options.references ?? {},
});

export interface Schema {
  /** Key in `migrate_version`, as the original's repository has it. */
  repositoryId: string;
  /** Version of the original's last migration. */
  version: number;
  /** Oldest version that {@link upgrades} lead up from. */
  oldestVersion: number;
  tables: readonly Table[];
  /** Rows of a new database. */
  seed: readonly { table: string; rows: readonly Record<string, string | number | null>[] }[];
  /** Indexes of our own, `folsom_` in front: table to name to columns. Harmless to the original. */
  extraIndexes: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;
  /** Tables of our own, created when missing. */
  extraTables: readonly Table[];
  /** Fills a table of our own from an original's rows, once, right after it was created. */
  fill?: Readonly<Record<string, (sql: Knex) => Promise<void>>>;
  /** What leads from `from` to the next version: statements that may be run again. */
  upgrades: readonly {
    from: number;
    addColumns: Readonly<Record<string, Readonly<Record<string, Column>>>>;
  }[];
  /** The program that an operator runs, for messages. */
  syncCommand: string;
}
