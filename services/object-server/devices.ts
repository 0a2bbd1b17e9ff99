import { readdirSync } from 'node:fs';
import type { Logger } from '@folsom/core';
import { isUsable, namesIn } from '@folsom/swift';

/** The devices of this host that can be worked on: absolute paths. Those not mounted are named in the log. */
export const localDevices = (root: string, mountCheck: boolean, log: Logger): string[] =>
  readdirSync(root)
    .filter(device => isUsable(root, device, mountCheck, log))
    .map(device => `${root}/${device}`);

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
