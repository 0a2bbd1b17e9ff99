import { hash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { World } from '@folsom/core';
import { openDirectoryLock, tryLockFile, unlockFile } from '@folsom/host/file-lock';
import { fallocate } from '@folsom/host/xattr';
import { type Pickled, pickle, pyTuple, unpickle } from '@folsom/pickle';
import { normalizeTimestamp, timestampOf } from '@folsom/swift';
import Database from 'better-sqlite3';
import { BUSY_MS, isBusy } from './busy.ts';
import { type DbKindName, schemaOf } from './schema.ts';

/** Beyond this size a pending file is merged into its database by the next write. */
const PENDING_BYTES_MAX = 131_072;
const LOCK_RETRY_MS = 5;

export type Metadata = Record<string, [value: string, timestamp: string]>;

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

/** The database is no database any more; its directory now lies in `quarantined`. */
export class DbQuarantined extends Error {
  override readonly name = 'DbQuarantined';
}

/** Somebody else held the lock for too long. */
export class DbLocked extends Error {
  override readonly name = 'DbLocked';
}

export interface DbFileOptions {
  world: World;
  /** How long a statement may stand still for another process's transaction. Default {@link BUSY_MS}. */
  stallMs?: number;
  /** Reserve room ahead of a growing file. */
  preallocate?: boolean;
}

/** hash XOR md5(name-timestamp): the order-free digest of a database's rows. */
export function chexor(old: string, name: string, timestamp: string): string {
  const added = hash('md5', `${name}-${timestamp}`, 'hex');
  let out = '';
  for (let i = 0; i < 32; i += 8) {
    const word =
      (Number.parseInt(old.slice(i, i + 8), 16) ^ Number.parseInt(added.slice(i, i + 8), 16)) >>> 0;
    out += word.toString(16).padStart(8, '0');
  }
  return out;
}

function connect(path: string, stallMs: number): Database.Database {
  const sqlite = new Database(path, { fileMustExist: true, timeout: stallMs });
  sqlite.pragma('synchronous = NORMAL');
  sqlite.pragma('temp_store = MEMORY');
  sqlite.pragma('journal_mode = DELETE');
  sqlite.function('chexor', { deterministic: true }, (old, name, timestamp) => {
    if (name === null) throw new Error('a row without a name');
    return chexor(String(old), String(name), String(timestamp));
  });
  return sqlite;
}

const isCorrupt = (error: unknown): boolean => {
  const code = (error as { code?: string }).code ?? '';
  return code.startsWith('SQLITE_CORRUPT') || code === 'SQLITE_NOTADB' || /no such table/.test(String(error));
};

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
  private lockFd = -1;
  private pendingFd = -1;
  /** Transactions of this handle. */
  private changes = 0;

  constructor(path: string, options: DbFileOptions) {
    this.path = path;
    this.world = options.world;
    this.preallocate = options.preallocate ?? false;
    this.inode = statSync(path).ino;
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
    if (this.lockFd >= 0) closeSync(this.lockFd);
    if (this.pendingFd >= 0) closeSync(this.pendingFd);
    this.lockFd = -1;
    this.pendingFd = -1;
  }

  protected abstract toPending(row: Row): Pickled[];
  protected abstract fromPending(fields: readonly Pickled[]): Row;
  protected abstract mergeRows(rows: Row[]): void;

  // --- pending file and lock ---------------------------------------------------------------------------------

  private tryLock(): boolean {
    if (this.lockFd < 0) this.lockFd = openDirectoryLock(dirname(this.path));
    return tryLockFile(this.lockFd);
  }

  private async locked<T>(timeoutMs: number, work: () => T): Promise<T> {
    for (let waited = 0; !this.tryLock(); waited += LOCK_RETRY_MS) {
      if (waited >= timeoutMs) throw new DbLocked(this.path);
      await this.world.clock.sleep(LOCK_RETRY_MS);
    }
    try {
      return work();
    } finally {
      unlockFile(this.lockFd);
    }
  }

  private openPending(create: boolean): boolean {
    if (this.pendingFd >= 0) return true;
    const path = `${this.path}.pending`;
    if (!create && !existsSync(path)) return false;
    this.pendingFd = openSync(path, 'a+', 0o600);
    return true;
  }

  /** Notes rows; they are visible to every reader from then on. */
  async put(rows: Row[], timeoutMs = 10_000): Promise<void> {
    const text = rows.map(row => `:${pythonBase64(pickle(pyTuple(...this.toPending(row))))}`).join('');
    await this.locked(timeoutMs, () => {
      this.openPending(true);
      const { size } = fstatSync(this.pendingFd);
      if (size > PENDING_BYTES_MAX) this.mergePending(rows);
      else this.append(text, size);
    });
  }

  /** All of it, or nothing: a record that is cut off would be lost although it was acknowledged. */
  private append(text: string, size: number): void {
    const bytes = Buffer.from(text, 'latin1');
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(this.pendingFd, bytes, at);
    } catch (error) {
      ftruncateSync(this.pendingFd, size);
      throw error;
    }
  }

  /**
   * Brings pending rows into the database. With `staleOk` a lock held by others is no error: whoever reads goes without
   * the newest rows rather than wait behind a writer.
   */
  async commitPending(timeoutMs = 10_000, staleOk = false): Promise<void> {
    if (!this.openPending(false) || fstatSync(this.pendingFd).size === 0) return;
    try {
      await this.locked(timeoutMs, () => this.mergePending([]));
    } catch (error) {
      if (!(staleOk && (error instanceof DbLocked || isBusy(error)))) throw error;
    }
  }

  private mergePending(extra: Row[]): void {
    const size = fstatSync(this.pendingFd).size;
    const rows: Row[] = [];
    if (size > 0) {
      const bytes = Buffer.allocUnsafe(size);
      let read = 0;
      while (read < size) {
        const count = readSync(this.pendingFd, bytes, read, size - read, read);
        if (count === 0) break;
        read += count;
      }
      for (const entry of bytes.toString('latin1', 0, read).split(':')) {
        if (entry === '') continue;
        try {
          rows.push(this.fromPending(unpickle(Buffer.from(entry, 'base64')) as readonly Pickled[]));
        } catch (error) {
          this.world.log.error('invalid pending entry', { file: `${this.path}.pending`, error });
        }
      }
    }
    rows.push(...extra);
    if (rows.length) {
      if (this.preallocate) this.reserve();
      this.guard(() => this.mergeRows(rows));
    }
    if (size > 0) ftruncateSync(this.pendingFd, 0);
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

  /** Says whether anything in the database changed since it was last asked, by us or by another process. */
  version(): string {
    return `${this.guard(() => this.sqlite.pragma('data_version', { simple: true }))}.${this.changes}`;
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

function parseMetadata(text: string | null): Metadata {
  if (!text) return {};
  try {
    return JSON.parse(text) as Metadata;
  } catch {
    return {};
  }
}

/** base64 as Python's codec writes it: lines of 76 characters, each with its newline. */
export function pythonBase64(bytes: Buffer): string {
  const text = bytes.toString('base64');
  if (text.length <= 76) return `${text}\n`;
  return text.replace(/.{1,76}/g, '$&\n');
}

/** Moves a database's directory to `<device>/quarantined`. */
function quarantine(path: string, kind: DbKindName, world: World, why: string): DbQuarantined {
  const directory = dirname(path);
  const device = dirname(dirname(dirname(dirname(directory))));
  let target = join(device, 'quarantined', `${kind}s`, basename(directory));
  mkdirSync(dirname(target), { recursive: true });
  try {
    renameSync(directory, target);
  } catch {
    target = `${target}-${world.random.hex(32)}`;
    renameSync(directory, target);
  }
  world.log.error('quarantined a database', { path, target, why });
  return new DbQuarantined(`${path} quarantined`);
}

/** Makes a database file: built aside, synced, moved into place. False if one is there already. */
export function createDbFile(
  path: string,
  kind: DbKindName,
  names: { account: string; container?: string },
  putTimestamp: string,
  world: World,
): boolean {
  const directory = dirname(path);
  mkdirSync(directory, { recursive: true });
  const temporary = join(directory, `${world.random.hex(12)}.tmp`);
  const sqlite = new Database(temporary, { timeout: BUSY_MS });
  try {
    sqlite.pragma('synchronous = OFF');
    sqlite.pragma('temp_store = MEMORY');
    sqlite.pragma('journal_mode = MEMORY');
    sqlite.function('chexor', { deterministic: true }, (old, name, timestamp) =>
      chexor(String(old), String(name), String(timestamp)),
    );
    const values = {
      account: names.account,
      ...(kind === 'container' ? { container: names.container ?? '' } : {}),
      created_at: timestampOf(world.clock.now()),
      id: world.random.uuid(),
      put_timestamp: putTimestamp,
    };
    sqlite.exec(`BEGIN; ${schemaOf(kind)}`);
    sqlite
      .prepare(
        `UPDATE ${kind}_stat SET ${Object.keys(values)
          .map(name => `${name} = @${name}`)
          .join(', ')}`,
      )
      .run(values);
    sqlite.exec('COMMIT');
    sqlite.close();
    syncPath(temporary);
    try {
      // A link never replaces what somebody else made meanwhile.
      linkSync(temporary, path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
      throw error;
    }
    unlinkSync(temporary);
    syncPath(directory);
    return true;
  } finally {
    sqlite.close();
    if (existsSync(temporary)) unlinkSync(temporary);
  }
}

function syncPath(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Removes a database with its directory. */
export function removeDb(path: string): void {
  rmSync(dirname(path), { recursive: true, force: true });
}
