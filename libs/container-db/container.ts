import type { Pickled } from '@folsom/pickle';
import { DbFile, type DbStat } from './database.ts';
import type { ListedObject } from './listed.ts';
import { asciiText } from './listing-format.ts';

/** A row of a container's listing. Deleted objects stay as rows for a while. */
export interface ObjectRow {
  name: string;
  created_at: string;
  size: number;
  content_type: string;
  etag: string;
  deleted: number;
}

export interface ContainerStat extends DbStat {
  account: string;
  container: string;
  reported_put_timestamp: string;
  reported_delete_timestamp: string;
  reported_object_count: number;
  reported_bytes_used: number;
  x_container_sync_point1: number;
  x_container_sync_point2: number;
}

/** Names of rows that changed last, so many at most. */
const CHANGED_MAX = 500;

export class ContainerDb extends DbFile<ObjectRow> {
  /** The rows that this handle changed last, and in which of its transactions. */
  private changed: { name: string; change: number }[] = [];
  /** Transactions up to this one may have changed more rows than are known. */
  private forgotten = 0;
  readonly kind = 'container' as const;
  readonly table = 'object' as const;
  protected readonly deletedAtColumn = 'created_at';

  protected toPending(row: ObjectRow): Pickled[] {
    return [row.name, row.created_at, row.size, row.content_type, row.etag, row.deleted];
  }

  protected fromPending(fields: readonly Pickled[]): ObjectRow {
    const [name, created_at, size, content_type, etag, deleted] = fields;
    if (typeof name !== 'string') throw new TypeError('a pending object without a name');
    return {
      name,
      created_at: String(created_at),
      size: Number(size),
      content_type: String(content_type),
      etag: String(etag),
      deleted: Number(deleted) ? 1 : 0,
    };
  }

  protected mergeRows(rows: ObjectRow[]): void {
    this.transaction(() => this.mergeRowsInside(rows));
  }

  protected mergeRowsInside(rows: ObjectRow[]): void {
    // Only the newest record of a name can survive.
    const newest = new Map<string, ObjectRow>();
    for (const row of rows) {
      const other = newest.get(row.name);
      if (!other || row.created_at > other.created_at) newest.set(row.name, row);
    }
    const remove = this.sql('DELETE FROM object WHERE name = ? AND created_at < ? AND deleted IN (0, 1)');
    const add = this.sql(
      `INSERT INTO object (name, created_at, size, content_type, etag, deleted)
       SELECT ?, ?, ?, ?, ?, ?
       WHERE NOT EXISTS (SELECT 1 FROM object WHERE name = ? AND deleted IN (0, 1))`,
    );
    this.noteChanged(newest.keys());
    for (const row of newest.values()) {
      remove.run(row.name, row.created_at);
      add.run(row.name, row.created_at, row.size, row.content_type, row.etag, row.deleted, row.name);
    }
  }

  private noteChanged(names: Iterable<string>): void {
    for (const name of names) this.changed.push({ name, change: this.changes });
    if (this.changed.length <= CHANGED_MAX) return;
    for (const { change } of this.changed.splice(0, this.changed.length - CHANGED_MAX / 2))
      this.forgotten = change;
  }

  /** Names of the rows that this handle changed after `own` of its transactions; null if that is too long ago. */
  changedSince(own: number): string[] | null {
    if (own < this.forgotten) return null;
    return this.changed.filter(({ change }) => change > own).map(({ name }) => name);
  }

  override stat(): ContainerStat {
    return super.stat() as ContainerStat;
  }

  count(stat: DbStat): number {
    return Number(stat.object_count || 0);
  }

  /** Deleted: marked so after its last PUT, and without objects. */
  isDeleted(stat: DbStat = this.stat()): boolean {
    return this.count(stat) === 0 && Number(stat.delete_timestamp) > Number(stat.put_timestamp);
  }

  protected override afterNewId(): void {
    this.sql(
      `UPDATE container_stat SET reported_put_timestamp = 0, reported_delete_timestamp = 0,
       reported_object_count = 0, reported_bytes_used = 0`,
    ).run();
  }

  /** Notes what the account servers have been told. */
  reported(put: string, deleted: string, objects: number, bytes: number): void {
    this.transaction(() =>
      this.sql(
        `UPDATE container_stat SET reported_put_timestamp = ?, reported_delete_timestamp = ?,
         reported_object_count = ?, reported_bytes_used = ?`,
      ).run(put, deleted, objects, bytes),
    );
  }

  /** Moves the points of container sync; null leaves one where it is. */
  setSyncPoints(point1: number | null, point2: number | null): void {
    this.transaction(() =>
      this.sql(
        `UPDATE container_stat SET x_container_sync_point1 = coalesce(?, x_container_sync_point1),
         x_container_sync_point2 = coalesce(?, x_container_sync_point2)`,
      ).run(point1, point2),
    );
  }

  /** One step of a listing: rows from a name on. See listing-objects.ts. */
  rowsFrom(bounds: NameBounds, limit: number): IterableIterator<ListedObject> {
    const { clause, values } = nameBounds(bounds);
    return this.sql(
      `SELECT name, created_at, size, content_type, etag FROM object WHERE ${clause} deleted = 0 ORDER BY name LIMIT ?`,
    )
      .raw(true)
      .iterate(...values, limit) as IterableIterator<ListedObject>;
  }

  /** The same, all at once. */
  allFrom(bounds: NameBounds, limit: number): ListedObject[] {
    const { clause, values } = nameBounds(bounds);
    return this.guard(
      () =>
        this.sql(
          `SELECT name, created_at, size, content_type, etag FROM object WHERE ${clause} deleted = 0 ORDER BY name LIMIT ? `,
        )
          .raw(true)
          .all(...values, limit) as ListedObject[],
    );
  }

  /** Names only, newline after each, made inside SQLite. */
  textFrom(bounds: NameBounds, limit: number): JoinedRows {
    return this.joined('name || char(10)', '', bounds, limit);
  }

  /** The items of a JSON listing, made inside SQLite: a third of the time of making them here. */
  jsonFrom(bounds: NameBounds, limit: number): JoinedRows {
    const joined = this.joined(JSON_ITEM, ', ', bounds, limit);
    return { ...joined, text: asciiText(joined.text) };
  }

  /** An expression of every row, put together in the order of names. */
  private joined(expression: string, separator: string, bounds: NameBounds, limit: number): JoinedRows {
    const { clause, values } = nameBounds(bounds);
    const row = this.guard(() =>
      this.sql(
        `SELECT group_concat(${expression}, '${separator}'), count(*), max(name) FROM
           (SELECT * FROM object WHERE ${clause} deleted = 0 ORDER BY name LIMIT ?)`,
      )
        .raw(true)
        .get(...values, limit),
    ) as [string | null, number, string | null];
    return { text: row[0] ?? '', count: row[1], last: row[2] ?? '' };
  }
}

/** Rows made into one text. */
export interface JoinedRows {
  text: string;
  count: number;
  /** The last name; '' if there are none. */
  last: string;
}

/** As objectJsonItems of listing-format.ts writes an item. */
const JSON_ITEM = `'{"hash": ' || json_quote(etag) || ', "last_modified": "' ||
  strftime('%Y-%m-%dT%H:%M:%S', cast(created_at AS INTEGER), 'unixepoch') || '.' ||
  substr(substr(created_at, instr(created_at || '.', '.') + 1) || '000000', 1, 6) ||
  '", "bytes": ' || size || ', "name": ' || json_quote(name) || ', "content_type": ' || json_quote(content_type) || '}'`;

export interface NameBounds {
  after?: string;
  from?: string;
  before?: string;
  /** The last name that may come. */
  upTo?: string;
}

export function nameBounds(bounds: NameBounds): { clause: string; values: string[] } {
  let clause = '';
  const values: string[] = [];
  if (bounds.before !== undefined) {
    clause += 'name < ? AND ';
    values.push(bounds.before);
  }
  if (bounds.upTo !== undefined) {
    clause += 'name <= ? AND ';
    values.push(bounds.upTo);
  }
  if (bounds.after !== undefined) {
    clause += 'name > ? AND ';
    values.push(bounds.after);
  } else if (bounds.from !== undefined) {
    clause += 'name >= ? AND ';
    values.push(bounds.from);
  }
  return { clause, values };
}
