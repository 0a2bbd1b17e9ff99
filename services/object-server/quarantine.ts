import { mkdirSync, renameSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Random } from '@folsom/core';
import { invalidateSuffixSoon } from './suffix-hashes.ts';

/**
 * Moves the directory of a damaged object to `<device>/quarantined/objects`, so that nobody reads it again and
 * replication brings a good copy.
 * @param file any file in the object's directory
 * @returns where it went; null if it was gone already.
 */
export function quarantine(device: string, file: string, random: Random): string | null {
  const from = dirname(file);
  const folder = join(device, 'quarantined', 'objects');
  mkdirSync(folder, { recursive: true });
  invalidateSuffixSoon(dirname(from));
  for (const to of [join(folder, basename(from)), join(folder, `${basename(from)}-${random.hex(32)}`)]) {
    try {
      renameSync(from, to);
      return to;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT') return null;
      if (code !== 'EEXIST' && code !== 'ENOTEMPTY') throw error;
    }
  }
  return null;
}
