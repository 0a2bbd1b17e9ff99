import { stat } from 'node:fs/promises';
import type { Clock } from '@folsom/core';
import type { Layout } from './layout.ts';

const EVERY_MS = 2_000;

export interface StateWatch {
  /** Resolves to the file that is gone, or is another one now. */
  gone: Promise<string>;
  stop(): void;
}

/**
 * Sees whether the databases still are those that the cloud was started on. A process goes on writing to a file that was
 * deleted, and nothing that it acknowledges then is there at the next start. One that is missing when the watch begins is gone
 * already: the services have opened it before.
 */
export async function watchState(layout: Pick<Layout, 'db'>, clock: Clock): Promise<StateWatch> {
  const inode = (path: string) =>
    stat(path).then(
      ({ dev, ino }) => `${dev}:${ino}`,
      error => ((error as NodeJS.ErrnoException).code === 'ENOENT' ? null : undefined),
    );
  const { promise, resolve } = Promise.withResolvers<string>();
  const began = new Map<string, string | undefined>();
  for (const name of ['keystone', 'glance', 'nova'] as const) {
    const path = layout.db(name);
    const found = await inode(path);
    if (found === null) resolve(path);
    else began.set(path, found);
  }
  const look = async () => {
    for (const [path, before] of began) {
      const now = await inode(path);
      // What cannot be looked at for another reason tells nothing.
      if (now === undefined) continue;
      if (before === undefined) began.set(path, now ?? undefined);
      if (now === null || (before !== undefined && now !== before)) resolve(path);
    }
  };
  const timer = clock.every(EVERY_MS, () => void look());
  return { gone: promise, stop: () => timer.cancel() };
}
