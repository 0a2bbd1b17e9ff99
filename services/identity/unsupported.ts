import type { Config } from '@folsom/config';
import { keystoneCatalogOptions, keystoneIdentityOptions, keystoneSslOptions } from './options.ts';

/** Back ends that kept their data where ours is, or nowhere: a configuration that names them means the database. */
const DATABASE_DRIVER = /\.(sql|kvs)\.\w+$/;

export const isTemplated = (driver: string): boolean => driver.endsWith('.TemplatedCatalog');

/**
 * Throws one sentence for what a keystone.conf asks for and this service does not have: going on without it would let
 * people in, or keep them out, in a way nobody configured.
 */
export function refuseUnsupported(config: Config): void {
  const identity = config.of(keystoneIdentityOptions).driver;
  if (!DATABASE_DRIVER.test(identity)) {
    throw new Error(`keystone: [identity] driver ${identity} is not supported: only the database is`);
  }
  const catalog = config.of(keystoneCatalogOptions).driver;
  if (!DATABASE_DRIVER.test(catalog) && !isTemplated(catalog)) {
    throw new Error(
      `keystone: [catalog] driver ${catalog} is not supported: the database and TemplatedCatalog are`,
    );
  }
  const ssl = config.of(keystoneSslOptions);
  if (ssl.enable && ssl.certfile === null) throw new Error('keystone: [ssl] enable needs certfile');
  if (ssl.enable && ssl.cert_required && ssl.ca_certs === null) {
    throw new Error(
      'keystone: [ssl] cert_required needs ca_certs: nobody else says whose clients are let in',
    );
  }
}
