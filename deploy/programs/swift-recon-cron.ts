import { existsSync, mkdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { createLogger, systemRandom } from '@folsom/core';
import { countPendingUpdates } from '@folsom/object-server';
import { readConf, writeReconCache } from '@folsom/swift';

/** swift-recon-cron CONFIG: counts the updates that wait on this host's devices, for swift-recon. */
export async function main([confFile]: string[]): Promise<number> {
  const print = (line: string) => void process.stdout.write(`${line}\n`);
  if (confFile === undefined) {
    print('Usage: swift-recon-cron CONF_FILE\nex: swift-recon-cron /etc/swift/object-server.conf');
    return 1;
  }
  if (!existsSync(confFile)) {
    print(`Unable to read config file ${confFile}`);
    return 1;
  }
  const conf = readConf(confFile).section('filter:recon');
  const log = createLogger({ level: 'info', write: line => process.stderr.write(line) });
  // One at a time: the directory is the lock, as it is for the original.
  const lock = join(conf.str('recon_lock_path', '/var/lock'), 'swift-recon-object-cron');
  try {
    mkdirSync(lock);
  } catch (error) {
    print((error as Error).message);
    return 1;
  }
  try {
    const waiting = await countPendingUpdates(conf.str('devices', '/srv/node'));
    const cache = join(conf.str('recon_cache_path', '/var/cache/swift'), 'object.recon');
    writeReconCache(cache, { async_pending: waiting }, { log, random: systemRandom });
  } finally {
    rmdirSync(lock);
  }
  return 0;
}
