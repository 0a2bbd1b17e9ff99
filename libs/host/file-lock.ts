import { constants, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import koffi from 'koffi';

/**
 * flock(2), the lock by which swift's processes (ours and the original's) keep out of each other's way in a
 * directory: each holds an exclusive lock on its `.lock` file.
 */
const libc = koffi.load('libc.so.6');
const flock = libc.func('int flock(int fd, int operation)');

const LOCK_EX = 2;
const LOCK_NB = 4;
const LOCK_UN = 8;

/** Takes the lock if nobody else has it; never waits. */
export const tryLockFile = (fd: number): boolean => flock(fd, LOCK_EX | LOCK_NB) === 0;

export const unlockFile = (fd: number): void => void flock(fd, LOCK_UN);

/** Opens a directory's lock file, making both if need be. The descriptor must be closed by the caller. */
export function openDirectoryLock(directory: string): number {
  mkdirSync(directory, { recursive: true });
  return openSync(join(directory, '.lock'), constants.O_WRONLY | constants.O_CREAT, 0o600);
}
