import type { Column, Table } from './table.ts';

export type DatabaseKind = 'sqlite' | 'mysql';

const quote = (name: string): string => `\`${name}\``;
const quoteAll = (names: readonly string[]): string => names.map(quote).join(', ');

/** SQLite keeps the names of all indexes in one space, MySQL per table. */
export function indexName(kind: DatabaseKind, table: string, name: string): string {
  if (kind === 'mysql' || name.includes(table)) return name;
  return `${table}_${name}`;
}

function columnSql(kind: DatabaseKind, name: string, column: Column, primary: boolean): string {
  const types = {
    serial: kind === 'sqlite' ? 'INTEGER PRIMARY KEY' : 'INT NOT NULL AUTO_INCREMENT',
    int: kind === 'sqlite' ? 'INTEGER' : 'INT',
    bigint: 'BIGINT',
    float: 'FLOAT',
    bool: kind === 'sqlite' ? 'BOOLEAN' : 'TINYINT(1)',
    datetime: 'DATETIME',
    text: 'TEXT',
    longtext: kind === 'sqlite' ? 'TEXT' : 'LONGTEXT',
    varchar: column.kind === 'varchar' ? `VARCHAR(${column.length})` : '',
  } as const;
  const parts = [quote(name), types[column.kind]];
  if ((column.required || primary) && column.kind !== 'serial') parts.push('NOT NULL');
  if (column.kind === 'bool') parts.push(`CHECK (${quote(name)} IN (0, 1))`);
  return parts.join(' ');
}

/** The statements that create a table with its indexes where they do not exist yet. */
export function createTableSql(kind: DatabaseKind, table: Table): string[] {
  const lines = Object.entries(table.columns).map(([name, column]) =>
    columnSql(kind, name, column, table.primaryKey.includes(name)),
  );
  const hasSerial = Object.values(table.columns).some(column => column.kind === 'serial');
  if (kind === 'mysql' || !hasSerial) lines.push(`PRIMARY KEY (${quoteAll(table.primaryKey)})`);
  const after: string[] = [];
  const index = (unique: boolean, name: string, columns: readonly string[]) => {
    if (kind === 'mysql') lines.push(`${unique ? 'UNIQUE ' : ''}KEY ${quote(name)} (${quoteAll(columns)})`);
    else after.push(createIndexSql(kind, table.name, name, columns, unique));
  };
  for (const [name, columns] of Object.entries(table.unique)) index(true, name, columns);
  for (const [name, columns] of Object.entries(table.indexes)) index(false, name, columns);
  for (const [name, [column, target]] of Object.entries(table.references)) {
    const [targetTable, targetColumn] = target.split('.') as [string, string];
    lines.push(
      `CONSTRAINT ${quote(name)} FOREIGN KEY (${quote(column)}) REFERENCES ${quote(targetTable)} (${quote(targetColumn)})`,
    );
  }
  const engine =
    kind === 'mysql'
      ? ' ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci'
      : '';
  return [
    `CREATE TABLE IF NOT EXISTS ${quote(table.name)} (\n  ${lines.join(',\n  ')}\n)${engine}`,
    ...after,
  ];
}

/** On MySQL the caller checks first whether the index exists. */
export function createIndexSql(
  kind: DatabaseKind,
  table: string,
  name: string,
  columns: readonly string[],
  unique = false,
): string {
  const exists = kind === 'sqlite' ? ' IF NOT EXISTS' : '';
  const full = quote(indexName(kind, table, name));
  return `CREATE ${unique ? 'UNIQUE ' : ''}INDEX${exists} ${full} ON ${quote(table)} (${quoteAll(columns)})`;
}

/** On MySQL and SQLite alike the caller checks first whether the column exists. */
export const addColumnSql = (kind: DatabaseKind, table: string, name: string, column: Column): string =>
  `ALTER TABLE ${quote(table)} ADD COLUMN ${columnSql(kind, name, { ...column, required: false }, false)}`;
