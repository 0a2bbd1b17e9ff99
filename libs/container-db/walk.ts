import { readdir } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import type { Logger } from '@folsom/core';
import { isMounted } from '@folsom/swift';
import type { DbKindName } from './schema.ts';

export interface DbLocation {
  path: string;
  device: string;
  partition: string;
}

/** The entries of a directory; none if it is not there. */
export async function entriesOf(path: string): Promise<string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return [];
    throw error;
  }
}

/** Every database of a kind below the given devices. */
export async function* databasesOf(
  root: string,
  kind: DbKindName,
  devices: readonly string[],
): AsyncGenerator<DbLocation> {
  for (const device of devices) {
    const datadir = join(root, device, `${kind}s`);
    for (const partition of await entriesOf(datadir)) {
      for (const suffix of await entriesOf(join(datadir, partition))) {
        for (const hash of await entriesOf(join(datadir, partition, suffix))) {
          const directory = join(datadir, partition, suffix, hash);
          for (const name of await entriesOf(directory)) {
            if (name.endsWith('.db')) yield { path: join(directory, name), device, partition };
          }
        }
      }
    }
  }
}

/** The devices below a root that can be worked on; those not mounted are named in the log. */
export async function usableDevices(root: string, mountCheck: boolean, log: Logger): Promise<string[]> {
  return (await entriesOf(root)).filter(device => {
    if (!mountCheck || isMounted(root, device)) return true;
    log.warn('skipping a device that is not mounted', { device });
    return false;
  });
}

/** The addresses of this host. */
export const ownAddresses = (): Set<string> =>
  new Set(
    Object.values(networkInterfaces())
      .flat()
      .flatMap(entry => (entry ? [entry.address] : [])),
  );

/** Runs `work` for each item, at most `limit` at a time; ends early when the signal is aborted. */
export async function eachOf<T>(
  items: AsyncIterable<T> | Iterable<T>,
  limit: number,
  signal: AbortSignal | undefined,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const running = new Set<Promise<void>>();
  for await (const item of items) {
    if (signal?.aborted) break;
    const task: Promise<void> = work(item).finally(() => running.delete(task));
    running.add(task);
    if (running.size >= limit) await Promise.race(running);
  }
  await Promise.all(running);
}
