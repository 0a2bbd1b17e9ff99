import { accessSync, closeSync, constants, existsSync, mkdirSync, openSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { type Clock, theLoop } from '@folsom/core';
import type { Knex } from 'knex';
import { LRUCache } from 'lru-cache';
import { DatabaseError, isBusy } from './errors.ts';

/** How long a writer waits for another process's transaction. */
const BUSY_WAIT_MS = 15_000;
/** How long the driver itself waits; it stands still meanwhile, so this must stay short. */
const BUSY_STALL_MS = 20;
const STATEMENTS_CACHED_MAX = 500;

interface Statement {
  reader: boolean;
  all(bindings: unknown[]): unknown[];
  run(bindings: unknown[]): { changes: number; lastInsertRowid: number | bigint };
}

interface Connection {
  prepare(sql: string): Statement;
  pragma(text: string): unknown;
  close(): void;
}

interface QueryObject {
  sql: string;
  bindings?: unknown[];
  response?: unknown;
  context?: unknown;
}

/** The parts of knex's own SQLite client that are extended here; knex publishes no types for them. */
interface ClientBase {
  driver: new (file: string, options: { timeout: number }) => Connection;
  connectionSettings: { filename: string };
  pool: unknown;
  acquireConnection(): Promise<Connection>;
  releaseConnection(connection: Connection): Promise<void>;
  destroy(done?: (error?: unknown) => void): Promise<void>;
  _formatBindings(bindings: unknown[] | undefined): unknown[];
}
interface TransactionBase {
  client: ClientBase & { acquireWriter?(): Promise<Connection> };
  query(connection: Connection, sql: string): Promise<unknown>;
  acquireConnection<T>(
    config: { connection?: Connection } | undefined,
    work: (connection: Connection) => Promise<T>,
  ): Promise<T>;
}

const require = createRequire(import.meta.url);
const KnexSqlite = require('knex/lib/dialects/better-sqlite3') as new (config: unknown) => ClientBase;
const KnexTransaction = require('knex/lib/dialects/sqlite3/execution/sqlite-transaction') as new (
  ...args: unknown[]
) => TransactionBase;

// A transaction that begins as a reader and writes later fails at once when another process wrote in between;
// beginning as the writer makes it wait its turn instead.
class WritingTransaction extends KnexTransaction {
  begin(connection: Connection): Promise<unknown> {
    return this.query(connection, 'BEGIN IMMEDIATE;');
  }

  override async acquireConnection<T>(
    config: { connection?: Connection } | undefined,
    work: (connection: Connection) => Promise<T>,
  ): Promise<T> {
    const { client } = this;
    // A transaction within a transaction has no pool: it is given the outer one's connection.
    if (config?.connection || !client.acquireWriter || !client.pool)
      return super.acquireConnection(config, work);
    const connection = await client.acquireWriter();
    try {
      return await super.acquireConnection({ ...config, connection }, work);
    } finally {
      await client.releaseConnection(connection);
    }
  }
}

/** What a statement outside of a transaction is given for a connection; which one it gets is told by what it does. */
class Lease {}

const READS = /^\s*(select|with)\b/i;

/**
 * knex on better-sqlite3 with what a file shared by several processes needs: WAL, foreign keys, statements
 * prepared once, transactions that begin as writers, and waiting for other writers without stopping the process.
 * Whoever only reads has a connection of his own, which waits for no writer: neither for one that has the file
 * locked, nor for one of this process that waits for it.
 */
export function sqliteClient(clock: Clock): typeof Knex.Client {
  // Not a field: knex makes the clients of transactions without calling the constructor.
  const statements = new WeakMap<Connection, LRUCache<string, Statement>>();
  let reader: Connection | null = null;

  class SqliteClient extends KnexSqlite {
    override async acquireConnection(): Promise<Connection> {
      // A database in memory is its connection.
      if (this.connectionSettings.filename === ':memory:') return super.acquireConnection();
      if (!this.pool) throw new Error('Unable to acquire a connection');
      return new Lease() as Connection;
    }

    /** The one connection that writes. */
    async acquireWriter(): Promise<Connection> {
      // Not within a transaction: others would wait for it meanwhile. One in memory has nobody to share with.
      if (this.connectionSettings.filename !== ':memory:') await theLoop.turn();
      return super.acquireConnection();
    }

    override async releaseConnection(connection: Connection): Promise<void> {
      if (!(connection instanceof Lease)) await super.releaseConnection(connection);
    }

    override async destroy(done?: (error?: unknown) => void): Promise<void> {
      // Last but one: SQLite clears its log away when the last connection goes.
      reader?.close();
      reader = null;
      await super.destroy(done);
    }

    private async leased(query: QueryObject): Promise<QueryObject> {
      if (READS.test(query.sql) && reader) {
        // Nothing here waits for anything: without this a chain of statements would keep the loop to its end.
        await theLoop.turn();
        return this._query(reader, query);
      }
      const writer = await this.acquireWriter();
      try {
        // The writer has made it a file with a log that readers can go by.
        if (!reader && this.pool) {
          reader = new this.driver(this.connectionSettings.filename, { timeout: BUSY_STALL_MS });
          reader.pragma('query_only = ON');
          reader.pragma('temp_store = MEMORY');
        }
        return await this._query(writer, query);
      } finally {
        await super.releaseConnection(writer);
      }
    }

    /** See {@link Database.stamp}. */
    async stamp(): Promise<string | null> {
      if (this.connectionSettings.filename !== ':memory:') return reader && versionOf(reader);
      const connection = await super.acquireConnection();
      try {
        return JSON.stringify(this.prepared(connection, 'SELECT total_changes()').all([]));
      } finally {
        await super.releaseConnection(connection);
      }
    }

    async acquireRawConnection(): Promise<Connection> {
      const connection = new this.driver(this.connectionSettings.filename, { timeout: BUSY_STALL_MS });
      for (let waited = 0; ; waited += BUSY_STALL_MS) {
        try {
          connection.pragma('journal_mode = WAL');
          connection.pragma('synchronous = NORMAL');
          connection.pragma('foreign_keys = ON');
          connection.pragma('temp_store = MEMORY');
          return connection;
        } catch (error) {
          if (!isBusy(error) || waited > BUSY_WAIT_MS) {
            connection.close();
            throw error;
          }
          await clock.sleep(BUSY_STALL_MS);
        }
      }
    }

    transaction(...args: unknown[]): TransactionBase {
      return new WritingTransaction(this, ...args);
    }

    async _query(connection: Connection, query: QueryObject): Promise<QueryObject> {
      if (connection instanceof Lease) return this.leased(query);
      const statement = this.prepared(connection, query.sql);
      const bindings = this._formatBindings(query.bindings);
      const deadline = clock.monotonic() + BUSY_WAIT_MS;
      for (let pause = 2; ; pause = Math.min(pause * 2, 100)) {
        try {
          if (statement.reader) {
            query.response = statement.all(bindings);
          } else {
            const result = statement.run(bindings);
            query.response = result;
            query.context = { lastID: Number(result.lastInsertRowid), changes: result.changes };
          }
          return query;
        } catch (error) {
          if (!isBusy(error) || clock.monotonic() > deadline) throw error;
          await clock.sleep(pause);
        }
      }
    }

    prepared(connection: Connection, sql: string): Statement {
      let cache = statements.get(connection);
      if (!cache) {
        cache = new LRUCache({ max: STATEMENTS_CACHED_MAX });
        statements.set(connection, cache);
      }
      const found = cache.get(sql);
      if (found) return found;
      const statement = connection.prepare(sql);
      cache.set(sql, statement);
      return statement;
    }
  }
  return SqliteClient as unknown as typeof Knex.Client;
}

/** Another text after a commit of another connection; null while the file is locked as a whole, when nobody can tell. */
function versionOf(connection: Connection): string | null {
  try {
    return JSON.stringify(connection.pragma('data_version'));
  } catch (error) {
    if (isBusy(error)) return null;
    throw error;
  }
}

/** Makes sure that the file can be used: its folder exists, it is readable to its owner only. */
export function prepareSqliteFile(file: string): void {
  try {
    if (existsSync(file)) {
      accessSync(file, constants.R_OK | constants.W_OK);
      return;
    }
    // One level only: a mistyped path must not grow a tree of folders.
    if (!existsSync(dirname(file))) mkdirSync(dirname(file), { mode: 0o700 });
    closeSync(openSync(file, 'a', 0o600));
  } catch (error) {
    throw new DatabaseError(`the database ${file} cannot be used: ${(error as Error).message}`);
  }
}
