import SqliteFile from 'better-sqlite3';

/** Copies a SQLite database that others are writing to; the copy is the database as it stood at one moment. */
export async function copySqliteFile(from: string, to: string): Promise<void> {
  const source = new SqliteFile(from, { readonly: true, fileMustExist: true });
  try {
    await source.backup(to);
  } finally {
    source.close();
  }
}

/** @throws Error when the file is damaged */
export function checkSqliteFile(path: string): void {
  const file = new SqliteFile(path, { readonly: true, fileMustExist: true });
  try {
    const [found] = file.pragma('quick_check(1)') as { quick_check: string }[];
    if (found?.quick_check !== 'ok') throw new Error(`${path} is damaged: ${found?.quick_check}`);
  } finally {
    file.close();
  }
}
