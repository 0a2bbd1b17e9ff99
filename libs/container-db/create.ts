import { closeSync, existsSync, fsyncSync, linkSync, mkdirSync, openSync, rmSync, unlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { World } from '@folsom/core';
import { timestampOf } from '@folsom/swift';
import Database from 'better-sqlite3';
import { BUSY_MS } from './busy.ts';
import { chexor } from './connection.ts';
import { type DbKindName, schemaOf } from './schema.ts';

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
    sqlite.exec('BEGIN');
    sqlite.exec(schemaOf(kind));
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
