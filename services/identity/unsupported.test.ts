import { configFrom } from '@folsom/config';
import { expect, it } from 'vitest';
import { identityOptions } from './options.ts';
import { refuseUnsupported } from './unsupported.ts';

const check = (sections: Record<string, Record<string, string>>) =>
  refuseUnsupported(configFrom(identityOptions, sections));

it('takes what Folsom’s own configuration says', () => {
  check({ identity: { driver: 'keystone.identity.backends.kvs.Identity' }, DEFAULT: { admin_token: 'x' } });
});

it('refuses what would change who gets in', () => {
  expect(() => check({ identity: { driver: 'keystone.identity.backends.pam.PamIdentity' } })).toThrow(
    /pam.*not supported/,
  );
  expect(() => check({ identity: { driver: 'example.ldap.Identity' } })).toThrow(/not supported/);
  check({ identity: { driver: 'keystone.identity.backends.ldap.Identity' } });
  expect(() => check({ catalog: { driver: 'example.Catalog' } })).toThrow(/example.Catalog is not supported/);
  check({ catalog: { driver: 'keystone.catalog.backends.templated.TemplatedCatalog' } });
});

it('refuses drivers of tokens, policy and credentials that are somebody’s own', () => {
  for (const [section, driver] of [
    ['token', 'example.Token'],
    ['policy', 'example.Policy'],
    ['ec2', 'keystone.contrib.ec2.backends.ldap.Ec2'],
  ])
    expect(() => check({ [section!]: { driver: driver! } })).toThrow(
      `[${section}] driver ${driver} is not supported`,
    );
  check({
    token: { driver: 'keystone.token.backends.memcache.Token' },
    policy: { driver: 'keystone.policy.backends.rules.Policy' },
    ec2: { driver: 'keystone.contrib.ec2.backends.sql.Ec2' },
  });
});

it('refuses TLS that cannot work as it is configured', () => {
  expect(() => check({ ssl: { enable: 'true' } })).toThrow(/needs certfile/);
  expect(() => check({ ssl: { enable: 'true', certfile: 'c', cert_required: 'true' } })).toThrow(/ca_certs/);
  check({ ssl: { certfile: 'c', cert_required: 'true' } });
});
