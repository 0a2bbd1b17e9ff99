import { closeSync, constants, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { mutex } from '@folsom/core';
import koffi from 'koffi';

/** lockf(3): the kernel's record locks, which a process never holds against itself and loses with its end. */
const lockf = koffi.load('libc.so.6').func('int lockf(int fd, int cmd, long len)');
const F_ULOCK = 0;
const F_TLOCK = 2;

const RETRY_MS = 10;
/** Whoever holds a lock for longer is stuck, and waiting for it would stop this daemon too. */
const WAIT_MS = 60_000;

const turns = new Map<string, ReturnType<typeof mutex>>();

/**
 * Runs work while no other process of this host does work of the same name: ours take `DIRECTORY/nova-NAME` as the original's
 * daemons do, so that both may run beside each other. `directory` null: nobody else is there, and only this process waits.
 * @throws when the lock is not free within a minute
 */
export function withProcessLock<T>(
  directory: string | null,
  name: string,
  work: () => Promise<T>,
): Promise<T> {
  const path = join(directory ?? '', `nova-${name}`);
  const turn = turns.get(path) ?? mutex();
  turns.set(path, turn);
  return turn(async () => {
    if (directory === null) return work();
    mkdirSync(directory, { recursive: true });
    const fd = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o640);
    try {
      const end = performance.now() + WAIT_MS;
      while (lockf(fd, F_TLOCK, 0) !== 0) {
        if (performance.now() > end) throw new Error(`${path} is held by another process for over a minute`);
        await sleep(RETRY_MS);
      }
      try {
        return await work();
      } finally {
        lockf(fd, F_ULOCK, 0);
      }
    } finally {
      closeSync(fd);
    }
  });
}
