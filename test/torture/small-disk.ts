import { existsSync, mkdirSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '@folsom/host';

/** A file system of its own that can be filled to the last byte. */
export interface SmallDisk {
  fill(): Promise<void>;
  empty(): Promise<void>;
  remove(): Promise<void>;
}

/** What they are called in the list of mounts, before the number of their process. */
const NAME = 'folsom-torture-';
const PIECE = Buffer.alloc(1024 * 1024);

/** Mounts it at a folder, which is made; undefined where that is not allowed: then it is a folder like any other. */
export async function smallDisk(path: string, megabytes: number): Promise<SmallDisk | undefined> {
  mkdirSync(path, { recursive: true });
  await unmountLeft();
  const mounted = await run(
    ['mount', '-t', 'tmpfs', '-o', `size=${megabytes}m`, `${NAME}${process.pid}`, path],
    {
      timeoutMs: 10_000,
      allowedCodes: 'any',
    },
  ).catch(() => undefined);
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

/** Disks of processes that were killed keep their memory until somebody looks. */
async function unmountLeft(): Promise<void> {
  const mounts = (await readFile('/proc/mounts', 'utf8')).split('\n').map(line => line.split(' '));
  for (const [source = '', path = ''] of mounts) {
    const pid = source.startsWith(NAME) ? source.slice(NAME.length) : undefined;
    if (pid === undefined || existsSync(`/proc/${pid}`)) continue;
    await run(['umount', '-l', path], { timeoutMs: 10_000, allowedCodes: 'any' });
    await rm(path, { recursive: true, force: true });
  }
}
