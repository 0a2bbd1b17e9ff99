import type { Config } from '@folsom/config';
import type { World } from '@folsom/core';
import type { Database } from '@folsom/db';
import type { Runner } from '@folsom/host/runner';
import type { ImageClient } from '@folsom/nova/image-transfer';
import type { ComputeDriver } from './driver.ts';
import { fakeDriver } from './drivers/fake.ts';
import { libvirtDriver } from './drivers/libvirt/driver.ts';
import { settingsOf } from './settings.ts';

/** Classes of the original's configuration that mean the fake driver; everything else means libvirt. */
const FAKE = /(^|\.)(fake\.)?FakeDriver$|^fake$/;

/** The driver that nova.conf's compute_driver (or the older connection_type) names. */
export function chooseDriver(options: {
  config: Config;
  db: Database;
  images: ImageClient;
  world: World;
  runner?: Runner;
}): ComputeDriver {
  const settings = settingsOf(options.config);
  const byType = settings.connection_type;
  const name =
    settings.compute_driver === 'nova.virt.connection.get_connection' && byType
      ? byType
      : settings.compute_driver;
  if (FAKE.test(name)) return fakeDriver({ host: settings.host });
  if (!/libvirt|get_connection/i.test(name)) {
    throw new Error(`compute_driver ${name} is not supported: use libvirt.LibvirtDriver or fake.FakeDriver`);
  }
  return libvirtDriver({
    settings,
    db: options.db,
    images: options.images,
    world: options.world,
    ...(options.runner === undefined ? {} : { runner: options.runner }),
  });
}
