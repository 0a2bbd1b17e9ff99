import type { World } from '@folsom/core';
import type { Database } from '@folsom/db';
import { hasDeviceMapper } from '@folsom/host/device-mapper';
import type { Runner } from '@folsom/host/runner';
import { hostRunner } from '@folsom/host/runner';
import type { VolumeDriver } from './driver.ts';
import { fakeDriver } from './drivers/fake.ts';
import { fileDriver } from './drivers/file.ts';
import { ietTargets } from './drivers/iet.ts';
import { lvmDriver } from './drivers/lvm.ts';
import type { Targets } from './drivers/targets.ts';
import { tgtTargets } from './drivers/tgt.ts';
import type { VolumeSettings } from './settings.ts';

/** Classes of the original's configuration, and our own names. */
const FAKE = /(^|\.)FakeISCSIDriver$|^fake$/;
const FILE = /^file$/;
const LVM = /(^|\.)ISCSIDriver$/;

/** The driver that nova.conf's volume_driver names. @throws Error for one that is not there */
export function chooseVolumeDriver(options: {
  settings: VolumeSettings;
  db: Database;
  world: World;
  runner?: Runner;
}): VolumeDriver {
  const { settings, world, runner = hostRunner } = options;
  const name = settings.volume_driver;
  if (FAKE.test(name)) return fakeDriver();
  if (FILE.test(name)) {
    return fileDriver({
      directory: settings.volume_file_dir,
      host: settings.host,
      runner,
      targets: settings.volume_file_export ? targetsOf(options) : undefined,
    });
  }
  if (LVM.test(name)) {
    return lvmDriver({
      group: settings.volume_group,
      tries: settings.num_shell_tries,
      runner,
      clock: world.clock,
      targets: targetsOf(options),
      deviceMapper: hasDeviceMapper,
    });
  }
  throw new Error(`volume_driver ${name} is not supported: use nova.volume.driver.ISCSIDriver, file or fake`);
}

function targetsOf({
  settings,
  db,
  runner = hostRunner,
}: {
  settings: VolumeSettings;
  db: Database;
  runner?: Runner;
}): Targets {
  const common = {
    prefix: settings.iscsi_target_prefix,
    ip: settings.iscsi_ip_address,
    port: settings.iscsi_port,
    runner,
  };
  return settings.iscsi_helper === 'tgtadm'
    ? tgtTargets({ ...common, directory: settings.volumes_dir })
    : ietTargets({ ...common, db, host: settings.host, most: settings.iscsi_num_targets });
}
