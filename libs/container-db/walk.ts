import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import type { Logger } from '@folsom/core';
import { isUsable, namesIn } from '@folsom/swift';
import type { DbKindName } from './schema.ts';

export interface DbLocation {
  path: string;
  device: string;
  partition: string;
}

/** Every database of a kind below the given devices. */
export async function* databasesOf(
  root: string,
  kind: DbKindName,
  devices: readonly string[],
): AsyncGenerator<DbLocation> {
  for (const device of devices) {
    const datadir = join(root, device, `${kind}s`);
    for (const partition of await namesIn(datadir)) {
      for (const suffix of await namesIn(join(datadir, partition))) {
        for (const hash of await namesIn(join(datadir, partition, suffix))) {
          const directory = join(datadir, partition, suffix, hash);
          for (const name of await namesIn(directory)) {
            if (name.endsWith('.db')) yield { path: join(directory, name), device, partition };
          }
        }
      }
    }
  }
}

/** The devices below a root that can be worked on; those not mounted are named in the log. */
export const usableDevices = async (root: string, mountCheck: boolean, log: Logger): Promise<string[]> =>
  (await namesIn(root)).filter(device => isUsable(root, device, mountCheck, log));

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
