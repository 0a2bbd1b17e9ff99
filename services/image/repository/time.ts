import { type Database, toSqlTime } from '@folsom/db';

/**
 * A time as the original's tables hold it: SQLite's text has a fraction, a DATETIME of MySQL has none. The fraction keeps
 * images of one second in the order they were made.
 */
export const sqlTime = (db: Pick<Database, 'kind'>, ms: number): string =>
  db.kind === 'sqlite' ? `${new Date(ms).toISOString().slice(0, 23).replace('T', ' ')}000` : toSqlTime(ms);
