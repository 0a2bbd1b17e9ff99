import { closeSync, openSync, statSync } from 'node:fs';
import type { World } from '@folsom/core';
import { fallocate } from '@folsom/host/xattr';
import type { Pickled } from '@folsom/pickle';
import { normalizeTimestamp } from '@folsom/swift';
import type Database from 'better-sqlite3';
import { BUSY_MS, isBusy } from './busy.ts';
import { connect } from './connection.ts';
import { type Metadata, parseMetadata } from './metadata.ts';
import { DbLocked, PENDING_BYTES_MAX, PendingFile, recordOf } from './pending.ts';
import { isCorrupt, quarantine } from './quarantine.ts';
import type { DbKindName } from './schema.ts';

/** What the database of an account or container says about itself; strings hold timestamps. */
export interface DbStat {
  created_at: string;
  put_timestamp: string;
  delete_timestamp: string;
  object_count: number;
  bytes_used: number;
  hash: string;
  id: string;
  status: string;
  metadata: string;
}

export interface ReplicationInfo {
  hash: string;
  id: string;
  created_at: string;
  put_timestamp: string;
  delete_timestamp: string;
  count: number;
  max_row: number;
  metadata: string;
}

export interface SyncPoint {
  remote_id: string;
  sync_point: number;
}

/** How often a database was changed. */
export interface DbStamp {
  /** Moves with every change that another process or handle made. */
  others: number;
  /** Transactions of this handle. */
  own: number;
}

export interface DbFileOptions {
  world: World;
  /** How long a statement may stand still for another process's transaction. Default {@link BUSY_MS}. */
  stallMs?: number;
  /** Reserve room ahead of a growing file. */
  preallocate?: boolean;
}

/**
 * One open database with its pending file. Writes of rows go to the pending file, one record each, and into the
 * database when somebody reads or the file has grown; both under the directory's lock.
 */
export abstract class DbFile<Row> {
  readonly path: string;
  abstract readonly kind: DbKindName;
  /** The table of rows. */
  abstract readonly table: 'object' | 'container';
  protected readonly sqlite: Database.Database;
  protected readonly world: World;
  private readonly statements = new Map<string, Database.Statement>();
  private readonly inode: number;
  private readonly preallocate: boolean;
  private readonly pending: PendingFile;
  /** Transactions of this handle. */
  protected changes = 0;

  constructor(path: string, options: DbFileOptions) {
    this.path = path;
    this.world = options.world;
    this.preallocate = options.preallocate ?? false;
    this.inode = statSync(path).ino;
    this.pending = new PendingFile(path, options.world);
    try {
      this.sqlite = connect(path, options.stallMs ?? BUSY_MS);
    } catch (error) {
      // Its kind is not known yet, but the name of its place tells.
      if (!isCorrupt(error)) throw error;
      throw quarantine(
        path,
        path.includes('/accounts/') ? 'account' : 'container',
        options.world,
        String(error),
      );
    }
  }

  /** A prepared statement, kept for the life of the handle. */
  protected sql(text: string): Database.Statement {
    let statement = this.statements.get(text);
    if (!statement) {
      statement = this.sqlite.prepare(text);
      this.statements.set(text, statement);
    }
    return statement;
  }

  /** Whether the path still leads to the file this handle has open. */
  current(): boolean {
    const at = statSync(this.path, { throwIfNoEntry: false });
    return at !== undefined && at.ino === this.inode;
  }

  get isOpen(): boolean {
    return this.sqlite.open;
  }

  /** May be called twice. */
  close(): void {
    if (this.sqlite.open) this.sqlite.close();
    this.pending.close();
  }

  protected abstract toPending(row: Row): Pickled[];
  protected abstract fromPending(fields: readonly Pickled[]): Row;
  protected abstract mergeRows(rows: Row[]): void;

  // --- pending rows -------------------------------------------------------------------------------------------

  /** Notes rows; they are visible to every reader from then on. */
  async put(rows: Row[], timeoutMs = 10_000): Promise<void> {
    const text = rows.map(row => recordOf(this.toPending(row))).join('');
    await this.pending.locked(timeoutMs, () => {
      this.pending.open(true);
      if (this.pending.size > PENDING_BYTES_MAX) this.mergePending(rows);
      else this.pending.append(text);
    });
  }

  /**
   * Brings pending rows into the database. With `staleOk` a lock held by others is no error: whoever reads goes without
   * the newest rows rather than wait behind a writer.
   */
  async commitPending(timeoutMs = 10_000, staleOk = false): Promise<void> {
    if (!this.pending.open(false) || this.pending.size === 0) return;
    try {
      await this.pending.locked(timeoutMs, () => this.mergePending([]));
    } catch (error) {
      if (!(staleOk && (error instanceof DbLocked || isBusy(error)))) throw error;
    }
  }

  private mergePending(extra: Row[]): void {
    const rows = this.pending.read(fields => this.fromPending(fields));
    const noted = rows.length;
    rows.push(...extra);
    if (rows.length) {
      if (this.preallocate) this.reserve();
      this.guard(() => this.mergeRows(rows));
    }
    if (noted || this.pending.size > 0) this.pending.clear();
  }

  /** Extends the file's allocation to the next of the original's steps (1, 2, 5, 10, 25, 50 MB, then every 50). */
  private reserve(): void {
    const MB = 1024 * 1024;
    const { size, blocks } = statSync(this.path);
    let point = [1, 2, 5, 10, 25, 50].map(step => step * MB).find(step => size <= step - MB / 2);
    if (point === undefined) {
      point = 100 * MB;
      while (size > point - MB / 2) point += 50 * MB;
    }
    if (blocks * 512 >= point) return;
    const fd = openSync(this.path, 'r+');
    try {
      fallocate(fd, point);
    } catch {
      // A full disk: the write itself will say so.
    } finally {
      closeSync(fd);
    }
  }

  /** Runs statements; a file that is no database any more goes to quarantine. */
  protected guard<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (!isCorrupt(error)) throw error;
      this.close();
      throw quarantine(this.path, this.kind, this.world, String(error));
    }
  }

  /** Says whether anything in the database changed since it was last asked. */
  stamp(): DbStamp {
    const others = Number(this.guard(() => this.sqlite.pragma('data_version', { simple: true })));
    return { others, own: this.changes };
  }

  protected transaction<T>(work: () => T): T {
    this.changes++;
    return this.guard(() => this.sqlite.transaction(work).immediate());
  }

  // --- what every database has ---------------------------------------------------------------------------------

  stat(): DbStat {
    return this.guard(() => this.sql(`SELECT * FROM ${this.kind}_stat`).get() as DbStat);
  }

  metadata(stat: Pick<DbStat, 'metadata'> = this.stat()): Metadata {
    return parseMetadata(stat.metadata);
  }

  /** Merges metadata; each name keeps its newest value. */
  updateMetadata(updates: Metadata): void {
    this.transaction(() => {
      const merged = this.metadata();
      let changed = false;
      for (const [name, pair] of Object.entries(updates)) {
        const before = merged[name];
        if (before === undefined || pair[1] > before[1]) {
          merged[name] = [pair[0], pair[1]];
          changed = true;
        }
      }
      if (changed) this.sql(`UPDATE ${this.kind}_stat SET metadata = ?`).run(JSON.stringify(merged));
    });
  }

  updatePutTimestamp(timestamp: string): void {
    this.transaction(() =>
      this.sql(`UPDATE ${this.kind}_stat SET put_timestamp = ? WHERE put_timestamp < ?`).run(
        timestamp,
        timestamp,
      ),
    );
  }

  /** Marks the database deleted and blanks its metadata. */
  deleteDb(timestamp: string): void {
    const at = normalizeTimestamp(timestamp);
    const cleared: Metadata = {};
    for (const name of Object.keys(this.metadata())) cleared[name] = ['', at];
    this.updateMetadata(cleared);
    this.transaction(() =>
      this.sql(
        `UPDATE ${this.kind}_stat SET delete_timestamp = ?, status = 'DELETED', status_changed_at = ?
         WHERE delete_timestamp < ?`,
      ).run(at, at, at),
    );
  }

  isStatusDeleted(): boolean {
    return this.stat().status === 'DELETED';
  }

  abstract count(stat: DbStat): number;

  empty(): boolean {
    return this.count(this.stat()) === 0;
  }

  /** Reads through the file; a damaged one goes to quarantine. */
  verify(): void {
    const found = this.guard(() => this.sqlite.pragma('quick_check(1)', { simple: true }));
    if (found === 'ok') return;
    this.close();
    throw quarantine(this.path, this.kind, this.world, String(found));
  }

  // --- replication -----------------------------------------------------------------------------------------

  replicationInfo(): ReplicationInfo {
    return this.guard(
      () =>
        this.sql(
          `SELECT hash, id, created_at, put_timestamp, delete_timestamp, ${this.table}_count AS count,
             CASE WHEN SQLITE_SEQUENCE.seq IS NOT NULL THEN SQLITE_SEQUENCE.seq ELSE -1 END AS max_row, metadata
           FROM (${this.kind}_stat LEFT JOIN SQLITE_SEQUENCE ON SQLITE_SEQUENCE.name == '${this.table}') LIMIT 1`,
        ).get() as ReplicationInfo,
    );
  }

  /** Rows after a ROWID, in order; every column by name. */
  itemsSince(rowid: number, limit: number): (Row & { ROWID: number })[] {
    return this.guard(
      () =>
        this.sql(`SELECT * FROM ${this.table} WHERE ROWID > ? ORDER BY ROWID ASC LIMIT ?`).all(
          rowid,
          limit,
        ) as (Row & {
          ROWID: number;
        })[],
    );
  }

  syncPoint(remoteId: string, direction: 'incoming' | 'outgoing'): number {
    const row = this.guard(() =>
      this.sql(`SELECT sync_point FROM ${direction}_sync WHERE remote_id = ?`).get(remoteId),
    );
    return (row as SyncPoint | undefined)?.sync_point ?? -1;
  }

  syncPoints(direction: 'incoming' | 'outgoing'): SyncPoint[] {
    return this.guard(
      () => this.sql(`SELECT remote_id, sync_point FROM ${direction}_sync`).all() as SyncPoint[],
    );
  }

  mergeSyncPoints(points: SyncPoint[], direction: 'incoming' | 'outgoing' = 'incoming'): void {
    this.transaction(() => {
      for (const point of points) this.mergeSyncPoint(point, direction);
    });
  }

  protected mergeSyncPoint(point: SyncPoint, direction: 'incoming' | 'outgoing'): void {
    const changed = this.sql(
      `UPDATE ${direction}_sync SET sync_point = max(?, sync_point) WHERE remote_id = ?`,
    ).run(point.sync_point, point.remote_id).changes;
    if (!changed) {
      this.sql(`INSERT INTO ${direction}_sync (sync_point, remote_id) VALUES (?, ?)`).run(
        point.sync_point,
        point.remote_id,
      );
    }
  }

  /** Rows of another replica; `source` is its id, whose sync point they move. */
  mergeItems(rows: (Row & { ROWID?: number })[], source: string | null = null): void {
    this.transaction(() => {
      this.mergeRowsInside(rows);
      if (source !== null) {
        const newest = rows.reduce((max, row) => Math.max(max, row.ROWID ?? -1), -1);
        this.mergeSyncPoint({ remote_id: source, sync_point: newest }, 'incoming');
      }
    });
  }

  protected abstract mergeRowsInside(rows: Row[]): void;

  mergeTimestamps(created: string, put: string, deleted: string): void {
    this.transaction(() =>
      this.sql(
        `UPDATE ${this.kind}_stat SET created_at = MIN(?, created_at), put_timestamp = MAX(?, put_timestamp),
         delete_timestamp = MAX(?, delete_timestamp)`,
      ).run(created, put, deleted),
    );
  }

  /** Makes a copied file a replica of its own: a new id, and all rows counted as received from the copy's source. */
  newId(remoteId: string): void {
    this.transaction(() => {
      this.sql(`UPDATE ${this.kind}_stat SET id = ?`).run(this.world.random.uuid());
      const row = this.sql(`SELECT ROWID AS last FROM ${this.table} ORDER BY ROWID DESC LIMIT 1`).get() as
        | { last: number }
        | undefined;
      this.sql('INSERT OR REPLACE INTO incoming_sync (sync_point, remote_id) VALUES (?, ?)').run(
        row?.last ?? -1,
        remoteId,
      );
      this.afterNewId();
    });
  }

  protected afterNewId(): void {}

  /** Drops what is older than a week or so: deleted rows, sync points, blank metadata. Times are timestamps. */
  reclaim(rowsBefore: string, syncsBefore: string): void {
    this.transaction(() => {
      this.sql(`DELETE FROM ${this.table} WHERE deleted = 1 AND ${this.deletedAtColumn} < ?`).run(rowsBefore);
      for (const direction of ['outgoing', 'incoming']) {
        this.sql(`DELETE FROM ${direction}_sync WHERE updated_at < ?`).run(syncsBefore);
      }
      const metadata = this.metadata();
      let dropped = false;
      for (const [name, [value, timestamp]] of Object.entries(metadata)) {
        if (value === '' && timestamp < rowsBefore) {
          delete metadata[name];
          dropped = true;
        }
      }
      if (dropped) this.sql(`UPDATE ${this.kind}_stat SET metadata = ?`).run(JSON.stringify(metadata));
    });
  }

  protected abstract readonly deletedAtColumn: string;

  /** Keeps writers out while `work` runs, for copying the file. */
  async whileLocked<T>(work: () => Promise<T>): Promise<T> {
    this.sqlite.exec('BEGIN IMMEDIATE');
    try {
      return await work();
    } finally {
      this.sqlite.exec('ROLLBACK');
    }
  }
}

/** A database of either kind, where the rows' shape does not matter. */
// biome-ignore lint/suspicious/noExplicitAny: rows of both kinds, which have no shape in common
export type AnyDb = DbFile<any>;
