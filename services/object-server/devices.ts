import { readdirSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import type { Logger } from '@folsom/core';
import { isMounted } from '@folsom/swift';

/** The devices of this host that can be worked on: absolute paths. Those not mounted are named in the log. */
export function localDevices(root: string, mountCheck: boolean, log: Logger): string[] {
  return readdirSync(root)
    .filter(device => {
      if (!mountCheck || isMounted(root, device)) return true;
      log.warn('skipping device: not mounted', { device });
      return false;
    })
    .map(device => `${root}/${device}`);
}

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

/** Every object directory of a device, in no particular order. */
export async function* objectDirectories(
  device: string,
): AsyncGenerator<{ partition: string; hash: string; directory: string }> {
  const root = `${device}/objects`;
  for (const partition of await namesIn(root)) {
    for (const suffix of await namesIn(`${root}/${partition}`)) {
      if (!/^[0-9a-f]{3}$/.test(suffix)) continue;
      for (const hash of await namesIn(`${root}/${partition}/${suffix}`)) {
        yield { partition, hash, directory: `${root}/${partition}/${suffix}/${hash}` };
      }
    }
  }
}
