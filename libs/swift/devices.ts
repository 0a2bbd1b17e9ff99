import { readdir } from 'node:fs/promises';
import type { Logger } from '@folsom/core';
import { isMounted } from './storage-paths.ts';

/** Names in a directory; none if there is no such directory. */
export async function namesIn(path: string): Promise<string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return [];
    throw error;
  }
}

/** Whether a device can be worked on; one that is not mounted is named in the log. */
export function isUsable(root: string, device: string, mountCheck: boolean, log: Logger): boolean {
  if (!mountCheck || isMounted(root, device)) return true;
  log.warn('skipping a device that is not mounted', { device });
  return false;
}
