import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import {
  type Clock,
  isDiskFull,
  type Logger,
  type Metrics,
  NO_METRICS,
  requireRoom,
  silentLogger,
  systemClock,
  systemRandom,
} from '@folsom/core';
import knexFactory, { type Knex } from 'knex';
import { type ConnectionTarget, parseConnectionString, showTarget } from './connection-string.ts';
import { DatabaseError, isConnectionLost, isDeadlock } from './errors.ts';
import { databaseMetrics } from './metrics.ts';
import { prepareSqliteFile, sqliteClient } from './sqlite-client.ts';

export interface Database {
  readonly knex: Knex;
  readonly kind: 'sqlite' | 'mysql';
  /** Where it is, without passwords. */
  readonly description: string;
  /**
   * Runs `fn` in one transaction; runs it again when the server undid it for a deadlock or lost the connection
   * before the commit. `fn` must use only the transaction it is given, and await nothing but the database.
   */
  transaction<T>(fn: (trx: Knex.Transaction) => Promise<T>): Promise<T>;
  /** Runs a statement outside of a transaction again after a deadlock. */
  retry<T>(fn: () => Promise<T>): Promise<T>;
  /**
   * Another text after every change that anybody has committed, in this process or another: what was read after a stamp was taken
   * still holds while the stamp does. Null where the database has no such thing (MySQL).
   */
  stamp(): Promise<string | null>;
  /** Rejects when the database does not answer, or the disk of its file is full. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

export interface OpenOptions {
  /** As in Folsom's configuration; see parseConnectionString. */
  connection: string;
  log?: Logger;
  clock?: Clock;
  /** Where its connections are told of, under `name`. */
  metrics?: Metrics;
  /** What is in it: `nova`. */
  name?: string;
  /** Connections kept to a MySQL server. */
  poolMax?: number;
  /** Wait this long for a server that does not answer yet. */
  waitMs?: number;
  /** Refuses a SQLite file that is not there instead of making it: a database to read from. */
  mustExist?: boolean;
}

/** Attempts of a transaction in all. */
const TRANSACTION_ATTEMPTS_MAX = 15;
const POOL_MAX = 15;
/** How long a request waits for a free connection. */
const ACQUIRE_TIMEOUT_MS = 30_000;
const CONNECT_TIMEOUT_MS = 10_000;
const RETRY_PAUSE_MS = 500;

/** Opens a database and makes sure that it answers. Throws {@link DatabaseError} with one sentence. */
export async function openDatabase(options: OpenOptions): Promise<Database> {
  const { log = silentLogger, clock = systemClock } = options;
  const target = parseConnectionString(options.connection);
  if (target.kind === 'sqlite' && target.file) {
    if (options.mustExist && !existsSync(target.file)) {
      throw new DatabaseError(`there is no database ${target.file}`);
    }
    prepareSqliteFile(target.file);
  }
  const knex = knexFactory({
    ...knexConfig(target, clock, options.poolMax ?? POOL_MAX),
    acquireConnectionTimeout: ACQUIRE_TIMEOUT_MS,
    // Messages of errors reach logs: they must not carry the values (password hashes, tokens).
    compileSqlOnError: false,
    log: { warn() {}, error() {}, deprecate() {}, debug() {} },
  });
  const description = showTarget(target);
  const deadline = clock.monotonic() + (options.waitMs ?? 0);
  for (let told = false; ; ) {
    try {
      await knex.raw(target.kind === 'sqlite' ? 'SELECT count(*) FROM sqlite_master' : 'SELECT 1');
      break;
    } catch (error) {
      if (clock.monotonic() >= deadline || !isConnectionLost(error)) {
        await knex.destroy().catch(() => {});
        throw new DatabaseError(`${description} ${whyNot(error)}`, { cause: error });
      }
      if (!told) log.warn(`${description} does not answer yet, waiting`, { error: (error as Error).message });
      told = true;
      await clock.sleep(RETRY_PAUSE_MS);
    }
  }
  const { name = 'other', metrics = NO_METRICS } = options;
  const untold = tellPool(metrics, name, knex);
  const again = { clock, log, count: (cause: string) => metrics.add(databaseMetrics.retries, [name, cause]) };
  return {
    knex,
    kind: target.kind,
    description,
    transaction: fn => runTransaction(knex, fn, again),
    retry: fn => retryDeadlock(fn, again),
    stamp: async () =>
      target.kind === 'sqlite' ? (knex.client as { stamp(): Promise<string | null> }).stamp() : null,
    ping: async () => {
      await knex.raw('SELECT 1');
      if (target.kind === 'sqlite' && target.file) await requireRoom(dirname(target.file));
    },
    close: () => {
      untold();
      return knex.destroy();
    },
  };
}

function knexConfig(target: ConnectionTarget, clock: Clock, poolMax: number): Knex.Config {
  if (target.kind === 'sqlite') {
    return {
      client: sqliteClient(clock),
      connection: { filename: target.file ?? ':memory:' },
      useNullAsDefault: true,
      // One connection: one writer, and a database in memory lives as long as it.
      pool: { min: 1, max: 1, idleTimeoutMillis: 2 ** 31 - 1 },
    };
  }
  return {
    client: 'mysql2',
    connection: {
      ...(target.socketPath ? { socketPath: target.socketPath } : { host: target.host, port: target.port }),
      user: target.user,
      password: target.password,
      database: target.database,
      charset: 'utf8mb4',
      // Times travel as text: what stands in the column is UTC, whatever the server's time zone.
      dateStrings: true,
      timezone: 'Z',
      supportBigNumbers: true,
      connectTimeout: CONNECT_TIMEOUT_MS,
    },
    pool: {
      min: 0,
      max: poolMax,
      afterCreate: (connection: MysqlConnection, done: (error: unknown, connection: unknown) => void) => {
        const run = (at: number): void => {
          const sql = SESSION_SQL[at];
          if (sql === undefined) done(null, connection);
          else connection.query(sql, error => (error ? done(error, connection) : run(at + 1)));
        };
        run(0);
      },
    },
  };
}

interface MysqlConnection {
  query(sql: string, done: (error: unknown) => void): void;
}

// Strict: a value that does not fit is an error instead of being cut. Locking only the rows found makes
// compare-and-set statements deadlock far less often than the default level.
const SESSION_SQL = [
  "SET SESSION sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION', time_zone = '+00:00'",
  'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED',
];

function whyNot(error: unknown): string {
  const { code, errno, message } = error as { code?: string; errno?: number; message: string };
  if (code === 'SQLITE_NOTADB' || code?.startsWith('SQLITE_CORRUPT')) {
    return 'is damaged or not a database; restore it from a backup or move it away';
  }
  if (isDiskFull(error)) return 'cannot be written: the disk is full';
  if (errno === 1045 || errno === 1044) return 'refuses the user or password of the connection string';
  if (errno === 1049) return 'does not exist; create it first (CREATE DATABASE)';
  if (isConnectionLost(error)) return `does not answer (${code ?? errno})`;
  return `cannot be opened: ${message}`;
}

/** What those need who try again. */
interface Again {
  clock: Clock;
  log: Logger;
  count(cause: string): void;
}

/** The parts of knex's pool that tell how full it is. */
interface Pool {
  numUsed(): number;
  numFree(): number;
  numPendingAcquires(): number;
}

function tellPool(metrics: Metrics, name: string, knex: Knex): () => void {
  metrics.declare(databaseMetrics);
  return metrics.read(databaseMetrics.pool, () => {
    const pool = (knex.client as { pool?: Pool }).pool;
    if (!pool) return [];
    return [
      [[name, 'used'], pool.numUsed()],
      [[name, 'idle'], pool.numFree()],
      [[name, 'waiting'], pool.numPendingAcquires()],
    ];
  });
}

async function runTransaction<T>(
  knex: Knex,
  fn: (trx: Knex.Transaction) => Promise<T>,
  { clock, log, count }: Again,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    let committing = false;
    try {
      return await knex.transaction(async trx => {
        const result = await fn(trx);
        committing = true;
        return result;
      });
    } catch (error) {
      const again = isDeadlock(error) || (!committing && isConnectionLost(error));
      if (!again || attempt >= TRANSACTION_ATTEMPTS_MAX) throw error;
      count(isDeadlock(error) ? 'deadlock' : 'lost');
      log.debug('transaction starts again', { attempt, reason: (error as Error).message });
      await clock.sleep(pauseBefore(attempt));
    }
  }
}

async function retryDeadlock<T>(fn: () => Promise<T>, { clock, log, count }: Again): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await fn();
    } catch (error) {
      if (!isDeadlock(error) || attempt >= TRANSACTION_ATTEMPTS_MAX) throw error;
      count('deadlock');
      log.debug('statement starts again', { attempt, reason: (error as Error).message });
      await clock.sleep(pauseBefore(attempt));
    }
  }
}

/** Longer every time, and never the same for two who have just collided. */
function pauseBefore(attempt: number): number {
  const longest = Math.min(5 * 2 ** attempt, 500);
  return longest / 2 + systemRandom.int(Math.ceil(longest));
}
