import { mkdirSync, renameSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { World } from '@folsom/core';
import type { DbKindName } from './schema.ts';

/** The database is no database any more; its directory now lies in `quarantined`. */
export class DbQuarantined extends Error {
  override readonly name = 'DbQuarantined';
}

/** Whether SQLite says that a file is no database of ours. */
export const isCorrupt = (error: unknown): boolean => {
  const code = (error as { code?: string }).code ?? '';
  return code.startsWith('SQLITE_CORRUPT') || code === 'SQLITE_NOTADB' || /no such table/.test(String(error));
};

/** Moves a database's directory to `<device>/quarantined`. */
export function quarantine(path: string, kind: DbKindName, world: World, why: string): DbQuarantined {
  const directory = dirname(path);
  const device = dirname(dirname(dirname(dirname(directory))));
  let target = join(device, 'quarantined', `${kind}s`, basename(directory));
  mkdirSync(dirname(target), { recursive: true });
  try {
    renameSync(directory, target);
  } catch {
    target = `${target}-${world.random.hex(32)}`;
    renameSync(directory, target);
  }
  world.log.error('quarantined a database', { path, target, why });
  return new DbQuarantined(`${path} quarantined`);
}
