import type { Knex } from 'knex';
import type { glanceTables } from './schema/glance-tables.ts';
import type { keystoneOwnTables, keystoneTables } from './schema/keystone-tables.ts';
import type { hostTables } from './schema/nova-host-tables.ts';
import type { instanceTables } from './schema/nova-instance-tables.ts';
import type { networkTables } from './schema/nova-network-tables.ts';
import type { ownTables } from './schema/nova-own-tables.ts';
import type { projectTables } from './schema/nova-project-tables.ts';
import type { volumeTables } from './schema/nova-volume-tables.ts';
import type { Column, Table } from './schema/table.ts';

// The declarations of the tables say what a row is: `knex('instances')` gives rows of that type and takes no other column.

interface Kinds {
  serial: number;
  int: number;
  bigint: number;
  float: number;
  /** 0 or 1. */
  bool: number;
  /** UTC, to the second: `2012-09-27 10:00:00`. */
  datetime: string;
  text: string;
  longtext: string;
  varchar: string;
}

type Present<C> = C extends { required: true } | { filled: true } | { kind: 'serial' } ? never : null;

/** A row as both drivers give it. */
type Row<Columns> = {
  [Name in keyof Columns]: Columns[Name] extends Column
    ? Kinds[Columns[Name]['kind']] | Present<Columns[Name]>
    : never;
};

/** What may be written: what is left out stays as it is, or null in a new row. */
type Written<Columns> = { [Name in keyof Columns]?: Row<Columns>[Name] | Knex.Raw };

type Rows<Tables extends readonly Table<string, unknown>[]> = {
  [T in Tables[number] as T['name']]: Knex.CompositeTableType<
    Row<T['columns']>,
    Written<T['columns']>,
    Written<T['columns']>,
    Written<T['columns']>
  >;
};

type All = Rows<typeof instanceTables> &
  Rows<typeof hostTables> &
  Rows<typeof networkTables> &
  Rows<typeof projectTables> &
  Rows<typeof volumeTables> &
  Rows<typeof ownTables> &
  Rows<typeof glanceTables> &
  Rows<typeof keystoneTables> &
  Rows<typeof keystoneOwnTables>;

/** A row of a table of ours, as both drivers give it. */
export type RowOf<Name extends keyof All> = Knex.ResolveTableType<All[Name]>;

declare module 'knex/types/tables.js' {
  interface Tables extends All {}
}
