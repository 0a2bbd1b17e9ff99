import { whileBusy } from './busy.ts';
import type { AnyDb, DbFileOptions } from './database.ts';

/** Opens a database for a daemon, with everything pending in it, once nobody has it locked. */
export function openWhenFree<Db extends AnyDb>(
  Kind: new (path: string, options: DbFileOptions) => Db,
  path: string,
  options: DbFileOptions,
): Promise<Db> {
  return whileBusy(options.world.clock, async () => {
    const db = new Kind(path, options);
    try {
      await db.commitPending(30_000);
      db.stat();
      return db;
    } catch (error) {
      db.close();
      throw error;
    }
  });
}
