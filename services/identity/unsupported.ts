import type { Config } from '@folsom/config';
import { keystoneCatalogOptions, keystoneIdentityOptions, keystoneSslOptions } from './options.ts';

/** Back ends that kept their data where ours is, or nowhere: a configuration that names them means the database. */
const DATABASE_DRIVER = /\.(sql|kvs)\.\w+$/;

const lastOf = (section: string, fallback: string) => (config: Config) =>
  config.given(section, 'driver').at(-1)?.text.trim() ?? fallback;

/** Drivers with one answer here, whichever of Folsom's is named; somebody's own would decide otherwise. */
const OTHER_DRIVERS = [
  {
    section: 'token',
    given: lastOf('token', 'keystone.token.backends.kvs.Token'),
    known: /^keystone\.token\.backends\.(sql|kvs|memcache)\.Token$/,
    instead: "Folsom's own are, and tokens are kept in the database",
  },
  {
    section: 'policy',
    given: lastOf('policy', 'keystone.policy.backends.rules.Policy'),
    known: /^keystone\.policy\.backends\.rules\.Policy$/,
    instead: 'the rules of policy_file are',
  },
  {
    section: 'ec2',
    given: lastOf('ec2', 'keystone.contrib.ec2.backends.kvs.Ec2'),
    known: /^keystone\.contrib\.ec2\.backends\.(sql|kvs)\.Ec2$/,
    instead: "Folsom's own are, and credentials are kept in the database",
  },
];

/** Folsom's own, and nothing that is derived from it. */
export const isDirectory = (driver: string): boolean =>
  /^keystone\.identity\.backends\.ldap(\.core)?\.Identity$/.test(driver);

export const isTemplated = (driver: string): boolean => driver.endsWith('.TemplatedCatalog');

/**
 * Throws one sentence for what a keystone.conf asks for and this service does not have: going on without it would let
 * people in, or keep them out, in a way nobody configured.
 */
export function refuseUnsupported(config: Config): void {
  const identity = config.of(keystoneIdentityOptions).driver;
  if (!DATABASE_DRIVER.test(identity) && !isDirectory(identity)) {
    throw new Error(
      `keystone: [identity] driver ${identity} is not supported: the database and keystone.identity.backends.ldap.Identity are`,
    );
  }
  const catalog = config.of(keystoneCatalogOptions).driver;
  if (!DATABASE_DRIVER.test(catalog) && !isTemplated(catalog)) {
    throw new Error(
      `keystone: [catalog] driver ${catalog} is not supported: the database and TemplatedCatalog are`,
    );
  }
  for (const { section, given, known, instead } of OTHER_DRIVERS) {
    const driver = given(config);
    if (!known.test(driver))
      throw new Error(`keystone: [${section}] driver ${driver} is not supported: ${instead}`);
  }
  const ssl = config.of(keystoneSslOptions);
  if (ssl.enable && ssl.certfile === null) throw new Error('keystone: [ssl] enable needs certfile');
  if (ssl.enable && ssl.cert_required && ssl.ca_certs === null) {
    throw new Error(
      'keystone: [ssl] cert_required needs ca_certs: nobody else says whose clients are let in',
    );
  }
}
