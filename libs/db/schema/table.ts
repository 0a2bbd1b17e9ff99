import type { Knex } from 'knex';

/** Declarations of tables: plain data from which the statements of both databases are made. */

export type ColumnType =
  | { kind: 'serial' | 'int' | 'bigint' | 'float' | 'bool' | 'datetime' | 'text' | 'longtext' }
  | { kind: 'varchar'; length: number };

export type Column = ColumnType & {
  required?: boolean;
  /** The original's table would take null, but no row has it: for the row's type. */
  filled?: boolean;
};

export interface TableOptions {
  /** Default: `id`. */
  primaryKey?: readonly string[];
  /** Index name to columns. */
  indexes?: Readonly<Record<string, readonly string[]>>;
  unique?: Readonly<Record<string, readonly string[]>>;
  /** Constraint name to [column, `table.column`]. */
  references?: Readonly<Record<string, readonly [string, string]>>;
}

export interface Table<Name extends string = string, Columns = Readonly<Record<string, Column>>> {
  name: Name;
  columns: Columns;
  primaryKey: readonly string[];
  indexes: Readonly<Record<string, readonly string[]>>;
  unique: Readonly<Record<string, readonly string[]>>;
  references: Readonly<Record<string, readonly [string, string]>>;
}

export const serial = { kind: 'serial' } as const satisfies Column;
export const int = { kind: 'int' } as const satisfies Column;
export const bigint = { kind: 'bigint' } as const satisfies Column;
export const float = { kind: 'float' } as const satisfies Column;
/** 0 or 1. */
export const bool = { kind: 'bool' } as const satisfies Column;
/** UTC. */
export const datetime = { kind: 'datetime' } as const satisfies Column;
export const text = { kind: 'text' } as const satisfies Column;
/** Above MySQL's 64 KiB of a text. */
export const longtext = { kind: 'longtext' } as const satisfies Column;
export const varchar = (length: number) => ({ kind: 'varchar', length }) as const satisfies Column;
export const string = varchar(255);
export const uuid = varchar(36);
export const required = <Type extends Column>(column: Type): Type & { required: true } => ({
  ...column,
  required: true,
});

/** Nullable in the original's table and never null in a row. */
export const filled = <Type extends Column>(column: Type): Type & { filled: true } => ({
  ...column,
  filled: true,
});

/** The columns that nearly every table of nova begins with. */
export const softDelete = {
  created_at: datetime,
  updated_at: datetime,
  deleted_at: datetime,
  deleted: bool,
} as const;

/** Keeps names and kinds in its type: rows are typed by them. */
export const table = <const Name extends string, const Columns extends Readonly<Record<string, Column>>>(
  name: Name,
  columns: Columns,
  options: TableOptions = {},
): Table<Name, Columns> => ({
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
