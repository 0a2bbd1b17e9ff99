import { existsSync } from 'node:fs';
import { LRUCache } from 'lru-cache';
import { createDbFile } from './create.ts';
import type { AnyDb, DbFileOptions } from './database.ts';
import type { DbKindName } from './schema.ts';

/** Databases that are kept open by one server while nobody uses them. */
const OPEN_MAX = 256;

/**
 * The open databases of a server. A handle is handed out only while its path still leads to the file it has open:
 * replication may have put another there, an auditor may have taken it away. One in use is never closed: whoever
 * works with databases does so through a {@link DbLease}, and what fell out of the store is closed by its last user.
 */
export interface DbStore<Db> {
  /** A user of databases, for as long as one request takes. */
  lease(): DbLease<Db>;
  /** Makes the file unless it exists; true if it was made. */
  create(path: string, names: { account: string; container?: string }, putTimestamp: string): boolean;
  close(): void;
}

/** The databases that one request has in use. */
export interface DbLease<Db> {
  /** Null when there is no file. */
  open(path: string): Db | null;
  /** Ends the use of all that were opened. */
  release(): void;
}

export function createDbStore<Db extends AnyDb>(
  kind: DbKindName,
  Kind: new (path: string, options: DbFileOptions) => Db,
  options: DbFileOptions,
  openMax = OPEN_MAX,
): DbStore<Db> {
  const users = new Map<Db, number>();
  const dropped = new Set<Db>();
  const handles = new LRUCache<string, Db>({
    max: openMax,
    dispose: handle => {
      if (users.has(handle)) dropped.add(handle);
      else handle.close();
    },
  });
  const found = (path: string): Db | null => {
    const kept = handles.get(path);
    if (kept) {
      if (kept.isOpen && kept.current()) return kept;
      handles.delete(path);
    }
    if (!existsSync(path)) return null;
    const handle = new Kind(path, options);
    handles.set(path, handle);
    return handle;
  };
  const letGo = (handle: Db): void => {
    const left = (users.get(handle) ?? 1) - 1;
    if (left > 0) {
      users.set(handle, left);
      return;
    }
    users.delete(handle);
    if (dropped.delete(handle)) handle.close();
  };
  return {
    lease: () => {
      const mine = new Set<Db>();
      return {
        open: path => {
          const handle = found(path);
          if (handle && !mine.has(handle)) {
            mine.add(handle);
            users.set(handle, (users.get(handle) ?? 0) + 1);
          }
          return handle;
        },
        release: () => {
          for (const handle of mine) letGo(handle);
          mine.clear();
        },
      };
    },
    create: (path, names, putTimestamp) => createDbFile(path, kind, names, putTimestamp, options.world),
    close: () => handles.clear(),
  };
}
