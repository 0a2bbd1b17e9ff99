import type { Pickled } from '@folsom/pickle';
import { type NameBounds, nameBounds } from './container.ts';
import { DbFile, type DbStat } from './database.ts';
import type { ListedContainer } from './listed.ts';

/** What an account knows of a container. */
export interface ContainerRow {
  name: string;
  put_timestamp: string;
  delete_timestamp: string;
  object_count: number;
  bytes_used: number;
  deleted: number;
}

export interface AccountStat extends DbStat {
  account: string;
  container_count: number;
}

export class AccountDb extends DbFile<ContainerRow> {
  readonly kind = 'account' as const;
  readonly table = 'container' as const;
  protected readonly deletedAtColumn = 'delete_timestamp';

  protected toPending(row: ContainerRow): Pickled[] {
    return [row.name, row.put_timestamp, row.delete_timestamp, row.object_count, row.bytes_used, row.deleted];
  }

  protected fromPending(fields: readonly Pickled[]): ContainerRow {
    const [name, put, deleted, objects, bytes, gone] = fields;
    if (typeof name !== 'string') throw new TypeError('a pending container without a name');
    return {
      name,
      put_timestamp: String(put),
      delete_timestamp: String(deleted),
      object_count: Number(objects),
      bytes_used: Number(bytes),
      deleted: Number(gone) ? 1 : 0,
    };
  }

  protected mergeRows(rows: ContainerRow[]): void {
    this.transaction(() => this.mergeRowsInside(rows));
  }

  protected mergeRowsInside(rows: ContainerRow[]): void {
    const before = this.sql(
      'SELECT put_timestamp, delete_timestamp FROM container WHERE name = ? AND deleted IN (0, 1)',
    );
    const remove = this.sql('DELETE FROM container WHERE name = ? AND deleted IN (0, 1)');
    const add = this.sql(
      `INSERT INTO container (name, put_timestamp, delete_timestamp, object_count, bytes_used, deleted)
       VALUES (?, ?, ?, ?, ?, ?)`,
    );
    for (const row of rows) {
      const known = before.get(row.name) as
        | Pick<ContainerRow, 'put_timestamp' | 'delete_timestamp'>
        | undefined;
      let { put_timestamp: put, delete_timestamp: deleted, deleted: gone } = row;
      if (known) {
        if (known.put_timestamp > put) put = known.put_timestamp;
        if (known.delete_timestamp > deleted) deleted = known.delete_timestamp;
        gone = deleted > put && Number(row.object_count || 0) === 0 ? 1 : 0;
        remove.run(row.name);
      }
      add.run(row.name, put, deleted, row.object_count, row.bytes_used, gone);
    }
  }

  override stat(): AccountStat {
    return super.stat() as AccountStat;
  }

  count(stat: DbStat): number {
    return Number((stat as AccountStat).container_count || 0);
  }

  isDeleted(stat: AccountStat = this.stat()): boolean {
    return (
      stat.status === 'DELETED' || (this.count(stat) === 0 && stat.delete_timestamp > stat.put_timestamp)
    );
  }

  /** Takes a deletion back; what the account holds is as it was, its metadata are lost. */
  undelete(timestamp: string): void {
    this.transaction(() =>
      this.sql(
        `UPDATE account_stat SET status = '', status_changed_at = ?, put_timestamp = MAX(?, put_timestamp)`,
      ).run(timestamp, timestamp),
    );
  }

  /** The put timestamp of a container that exists, else null. */
  containerTimestamp(name: string): string | null {
    const row = this.sql('SELECT put_timestamp FROM container WHERE name = ? AND deleted != 1').get(name) as
      | { put_timestamp: string }
      | undefined;
    return row?.put_timestamp ?? null;
  }

  rowsFrom(bounds: NameBounds, limit: number): IterableIterator<ListedContainer> {
    const { clause, values } = nameBounds(bounds);
    return this.sql(
      `SELECT name, object_count, bytes_used, 0 FROM container WHERE ${clause} deleted = 0 ORDER BY name LIMIT ?`,
    )
      .raw(true)
      .iterate(...values, limit) as IterableIterator<ListedContainer>;
  }
}
