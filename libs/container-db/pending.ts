import { closeSync, existsSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { World } from '@folsom/core';
import { openDirectoryLock, tryLockFile, unlockFile } from '@folsom/host/file-lock';
import { type Pickled, pickle, pyTuple, unpickle } from '@folsom/pickle';

/** Beyond this size a pending file is merged into its database by the next write. */
export const PENDING_BYTES_MAX = 131_072;
const LOCK_RETRY_MS = 5;

/** Somebody else held the lock for too long. */
export class DbLocked extends Error {
  override readonly name = 'DbLocked';
}

/** base64 as Python's codec writes it: lines of 76 characters, each with its newline. */
export function pythonBase64(bytes: Buffer): string {
  const text = bytes.toString('base64');
  if (text.length <= 76) return `${text}\n`;
  return text.replace(/.{1,76}/g, '$&\n');
}

/** One record of a pending file. */
export const recordOf = (fields: readonly Pickled[]): string =>
  `:${pythonBase64(pickle(pyTuple(...fields)))}`;

/**
 * The file beside a database that rows are noted in, one record each, and the lock of their directory, which
 * everybody holds who changes either.
 */
export class PendingFile {
  private readonly path: string;
  private readonly directory: string;
  private readonly world: World;
  private lockFd = -1;
  private fd = -1;

  constructor(database: string, world: World) {
    this.path = `${database}.pending`;
    this.directory = dirname(database);
    this.world = world;
  }

  /** Runs `work` under the lock. @throws DbLocked when others hold it for longer than `timeoutMs` */
  async locked<T>(timeoutMs: number, work: () => T): Promise<T> {
    for (let waited = 0; !this.tryLock(); waited += LOCK_RETRY_MS) {
      if (waited >= timeoutMs) throw new DbLocked(this.path);
      await this.world.clock.sleep(LOCK_RETRY_MS);
    }
    try {
      return work();
    } finally {
      unlockFile(this.lockFd);
    }
  }

  private tryLock(): boolean {
    if (this.lockFd < 0) this.lockFd = openDirectoryLock(this.directory);
    return tryLockFile(this.lockFd);
  }

  /** False if there is none and none is to be made. */
  open(create: boolean): boolean {
    if (this.fd >= 0) return true;
    if (!create && !existsSync(this.path)) return false;
    this.fd = openSync(this.path, 'a+', 0o600);
    return true;
  }

  get size(): number {
    return fstatSync(this.fd).size;
  }

  /** All of it, or nothing: a record that is cut off would be lost although it was acknowledged. */
  append(text: string): void {
    const bytes = Buffer.from(text, 'latin1');
    const before = this.size;
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(this.fd, bytes, at);
    } catch (error) {
      ftruncateSync(this.fd, before);
      throw error;
    }
  }

  /** What was noted; records that cannot be read are logged and left out. */
  read<Row>(rowOf: (fields: readonly Pickled[]) => Row): Row[] {
    const rows: Row[] = [];
    for (const entry of this.text().split(':')) {
      if (entry === '') continue;
      try {
        rows.push(rowOf(unpickle(Buffer.from(entry, 'base64')) as readonly Pickled[]));
      } catch (error) {
        this.world.log.error('invalid pending entry', { file: this.path, error });
      }
    }
    return rows;
  }

  private text(): string {
    const { size } = this;
    const bytes = Buffer.allocUnsafe(size);
    let read = 0;
    while (read < size) {
      const count = readSync(this.fd, bytes, read, size - read, read);
      if (count === 0) break;
      read += count;
    }
    return bytes.toString('latin1', 0, read);
  }

  clear(): void {
    ftruncateSync(this.fd, 0);
  }

  /** May be called twice. */
  close(): void {
    if (this.lockFd >= 0) closeSync(this.lockFd);
    if (this.fd >= 0) closeSync(this.fd);
    this.lockFd = -1;
    this.fd = -1;
  }
}
