import type { Config } from '@folsom/config';
import type { Logger } from '@folsom/core';
import {
  keystoneCatalogOptions,
  keystoneIdentityOptions,
  keystoneOptions,
  keystoneSslOptions,
} from './options.ts';

/** Back ends that kept their data where ours is, or nowhere: a configuration that names them means the database. */
const DATABASE_DRIVER = /\.(sql|kvs)\.\w+$/;

/**
 * Throws one sentence for what a keystone.conf asks for and this service does not have: going on without it would let
 * people in, or keep them out, in a way nobody configured. Warns of what is dangerous.
 */
export function refuseUnsupported(config: Config, log: Logger): void {
  if (config.of(keystoneSslOptions).enable) {
    throw new Error('keystone: [ssl] enable is not supported: end TLS in a proxy before both ports');
  }
  for (const group of [keystoneIdentityOptions, keystoneCatalogOptions]) {
    const { driver } = config.of(group);
    if (!DATABASE_DRIVER.test(driver)) {
      throw new Error(`keystone: [${group.group}] driver ${driver} is not supported: only the database is`);
    }
  }
  if (config.of(keystoneOptions).admin_token === 'ADMIN') {
    log.warn('admin_token is the published default: whoever reaches the admin port is an administrator');
  }
}
