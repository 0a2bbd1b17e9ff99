import { existsSync } from 'node:fs';
import { LRUCache } from 'lru-cache';
import type { AnyDb, DbFileOptions } from './database.ts';
import { createDbFile } from './database.ts';
import type { DbKindName } from './schema.ts';

/** Open databases kept at once by one server. */
const OPEN_MAX = 256;

/**
 * The open databases of a server. A handle is handed out only while its path still leads to the file it has open:
 * replication may have put another there, an auditor may have taken it away.
 */
export interface DbStore<Db> {
  /** Null when there is no file. */
  open(path: string): Db | null;
  /** Makes the file unless it exists; true if it was made. */
  create(path: string, names: { account: string; container?: string }, putTimestamp: string): boolean;
  close(): void;
}

export function createDbStore<Db extends AnyDb>(
  kind: DbKindName,
  Kind: new (path: string, options: DbFileOptions) => Db,
  options: DbFileOptions,
): DbStore<Db> {
  const handles = new LRUCache<string, Db>({
    max: OPEN_MAX,
    dispose: handle => handle.close(),
  });
  return {
    open: path => {
      const kept = handles.get(path);
      if (kept) {
        if (kept.current()) return kept;
        handles.delete(path);
      }
      if (!existsSync(path)) return null;
      const handle = new Kind(path, options);
      handles.set(path, handle);
      return handle;
    },
    create: (path, names, putTimestamp) => createDbFile(path, kind, names, putTimestamp, options.world),
    close: () => handles.clear(),
  };
}
