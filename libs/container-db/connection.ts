import { hash } from 'node:crypto';
import Database from 'better-sqlite3';

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

/** Opens a database that is there, as swift's servers use them. `stallMs`: how long a statement may stand still. */
export function connect(path: string, stallMs: number): Database.Database {
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
