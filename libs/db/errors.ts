/** A database that cannot be used, in one sentence for the operator. Programs print it and exit 1. */
export class DatabaseError extends Error {
  override readonly name = 'DatabaseError';
}

interface DriverError {
  code?: unknown;
  errno?: unknown;
}

const code = (error: unknown): string => String((error as DriverError | null)?.code ?? '');
const errno = (error: unknown): number => Number((error as DriverError | null)?.errno ?? 0);

/** Another writer holds the database (SQLite). */
export const isBusy = (error: unknown): boolean => /^SQLITE_(BUSY|LOCKED)/.test(code(error));

/** The server undid the transaction for another one's sake: running it again is right. */
export const isDeadlock = (error: unknown): boolean =>
  // deadlock, lock wait timeout, record changed since it was read
  [1213, 1205, 1020].includes(errno(error)) || isBusy(error);

/** The connection went away; whether the statement was carried out is not known. */
export const isConnectionLost = (error: unknown): boolean =>
  /^(PROTOCOL_CONNECTION_LOST|ECONNRESET|EPIPE|ECONNREFUSED|ETIMEDOUT|ENOENT|PROTOCOL_ENQUEUE_AFTER.*)$/.test(
    code(error),
  ) || [1053, 1927, 2006, 2013].includes(errno(error));

/** A unique index or primary key refused the row. */
export const isDuplicate = (error: unknown): boolean =>
  /^SQLITE_CONSTRAINT_(UNIQUE|PRIMARYKEY)$/.test(code(error)) || errno(error) === 1062;

/** A foreign key refused the change. */
export const isReferenceViolation = (error: unknown): boolean =>
  code(error) === 'SQLITE_CONSTRAINT_FOREIGNKEY' || [1216, 1217, 1451, 1452].includes(errno(error));

/** The value does not fit its column: too long, out of range, or characters its character set lacks. */
export const isUnstorable = (error: unknown): boolean => [1264, 1366, 1406, 1265].includes(errno(error));

/**
 * Nothing can be asked of the database at the moment, and that passes: it is away, restarts, or its connections are
 * all in use. Errors of files and of other servers are told apart.
 */
export const isDatabaseAway = (error: unknown): boolean => {
  if (!(error instanceof Error)) return false;
  const { fatal } = error as { fatal?: unknown };
  // The MySQL client's word for the end of a connection.
  if (fatal === true) return true;
  if (error.name === 'KnexTimeoutError' || error.name === 'DatabaseError') return true;
  if (/^Unable to acquire a connection|^The database connection is not open/.test(error.message)) return true;
  // A connection that could not be made in time.
  if (code(error) === 'ETIMEDOUT' && (error as { errorno?: unknown }).errorno !== undefined) return true;
  // Too many connections, shutting down, killed, read or written too late.
  return [1040, 1053, 1158, 1159, 1160, 1161, 1317, 1927, 2006, 2013].includes(errno(error));
};

/** The database answers, and cannot write now: its disk is full, or it is read-only for a while. */
export const isDatabaseFull = (error: unknown): boolean =>
  /^SQLITE_(FULL|IOERR|CANTOPEN|READONLY)/.test(code(error)) ||
  [1021, 1030, 1114, 1290, 1836].includes(errno(error));
