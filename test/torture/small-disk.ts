import { mkdirSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '@folsom/host';

/** A file system of its own that can be filled to the last byte. */
export interface SmallDisk {
  fill(): Promise<void>;
  empty(): Promise<void>;
  remove(): Promise<void>;
}

const PIECE = Buffer.alloc(1024 * 1024);

/** Mounts it at a folder, which is made; undefined where that is not allowed: then it is a folder like any other. */
export async function smallDisk(path: string, megabytes: number): Promise<SmallDisk | undefined> {
  mkdirSync(path, { recursive: true });
  const mounted = await run(['mount', '-t', 'tmpfs', '-o', `size=${megabytes}m`, 'folsom-torture', path], {
    timeoutMs: 10_000,
    allowedCodes: 'any',
  }).catch(() => undefined);
  if (mounted?.code !== 0) return undefined;
  const filler = join(path, 'filler');
  return {
    fill: async () => {
      for (let size = PIECE.length; size >= 4096; ) {
        const full = await writeFile(filler, PIECE.subarray(0, size), { flag: 'a' }).then(
          () => false,
          () => true,
        );
        if (full) size /= 2;
      }
    },
    empty: () => rm(filler, { force: true }),
    remove: async () => {
      await run(['umount', '-l', path], { timeoutMs: 10_000, allowedCodes: 'any' });
    },
  };
}
