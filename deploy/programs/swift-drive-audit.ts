import { existsSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { createLogger, systemClock } from '@folsom/core';
import { run } from '@folsom/host/run';
import { driveErrors, drivesBelow, withoutMount } from '@folsom/object-tools';
import { readConf } from '@folsom/swift';

/** swift-drive-audit CONFIG: unmounts drives of which the kernel's log says that they fail. */
export async function main([confFile]: string[]): Promise<number> {
  if (confFile === undefined || !existsSync(confFile)) {
    process.stdout.write(
      confFile === undefined
        ? 'Usage: swift-drive-audit CONF_FILE\n'
        : `Unable to read config file ${confFile}\n`,
    );
    return 1;
  }
  const conf = readConf(confFile).section('drive-audit');
  const directory = conf.str('device_dir', '/srv/node');
  const limit = conf.int('error_limit', 1);
  const log = createLogger({ level: 'info', write: line => process.stderr.write(line) }).child({
    service: conf.str('log_name', 'drive-audit'),
  });
  const drives = drivesBelow(
    directory,
    readFileSync('/proc/mounts', 'utf8'),
    readFileSync('/proc/partitions', 'utf8'),
    device => {
      const { rdev } = statSync(device, { throwIfNoEntry: false }) ?? { rdev: 0 };
      return rdev ? [(rdev >> 8) & 0xfff, (rdev & 0xff) | ((rdev >> 12) & 0xfff00)] : null;
    },
  );
  if (drives.length === 0) log.error('no drives found', { directory });
  const now = systemClock.now();
  const kernelLog = readFileSync(conf.str('log_file', '/var/log/kern.log'), 'utf8');
  const errors = driveErrors(kernelLog, now - conf.int('minutes', 60) * 60_000, now);
  let unmounted = 0;
  for (const { kernelName, mountPoint } of drives) {
    const count = errors.get(kernelName) ?? 0;
    if (count < limit || count === 0) continue;
    log.info('unmounting a drive and taking it out of /etc/fstab', {
      mount_point: mountPoint,
      errors: count,
    });
    await run(['umount', '-fl', mountPoint], { timeoutMs: 60_000, allowedCodes: 'any' });
    const fstab = readFileSync('/etc/fstab', 'utf8');
    writeFileSync('/etc/fstab.new', withoutMount(fstab, mountPoint));
    renameSync('/etc/fstab.new', '/etc/fstab');
    unmounted++;
  }
  if (unmounted === 0) log.info('no drives were unmounted');
  return 0;
}
