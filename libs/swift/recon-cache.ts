import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Logger, Random } from '@folsom/core';

/** Values that daemons left in a recon file (one JSON object); null for those that are not there. */
export function readReconCache(path: string, keys: readonly string[]): Record<string, unknown> {
  let all: Record<string, unknown> = {};
  try {
    all = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
  } catch {
    // No daemon has written yet.
  }
  return Object.fromEntries(keys.map(key => [key, all[key] ?? null]));
}

/** Adds values to a recon file, which is replaced as a whole. A file that cannot be written is only logged. */
export function writeReconCache(
  path: string,
  values: Record<string, unknown>,
  { log, random }: { log: Logger; random: Random },
): void {
  try {
    let all: Record<string, unknown> = {};
    try {
      all = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
    } catch {
      // Missing or damaged: written anew.
    }
    mkdirSync(dirname(path), { recursive: true });
    const temporary = `${path}.${random.hex(8)}`;
    writeFileSync(temporary, `${JSON.stringify({ ...all, ...values })}\n`, { mode: 0o644 });
    renameSync(temporary, path);
  } catch (error) {
    log.error('cannot write the recon file', { path, error });
  }
}
