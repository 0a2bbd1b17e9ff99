import { chmodSync, lstatSync, mkdirSync } from 'node:fs';
import { ConfigError } from '@folsom/config';

/**
 * Folsom's middleware kept certificates in a directory that other users of the machine could prepare for it. We keep
 * nothing there, but whoever configures one is told when it is not the service's own: it must be a directory (no link),
 * belong to the service's user, and nobody else may write there. Made with mode 0700 when missing, and closed to readers as
 * Folsom's middleware closes it.
 */
export function checkSigningDir(path: string, uid: number): void {
  try {
    mkdirSync(path, { mode: 0o700 });
    return;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') {
      throw new ConfigError(`signing_dir ${path} cannot be made: ${(error as Error).message}`);
    }
  }
  const found = lstatSync(path);
  if (!found.isDirectory()) throw new ConfigError(`signing_dir ${path} is no directory`);
  if (found.uid !== uid) throw new ConfigError(`signing_dir ${path} belongs to another user`);
  if ((found.mode & 0o022) !== 0) {
    throw new ConfigError(`signing_dir ${path} is open to other users: chmod 700 it`);
  }
  if ((found.mode & 0o077) !== 0) chmodSync(path, 0o700);
}
