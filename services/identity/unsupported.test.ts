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
  expect(() => check({ identity: { driver: 'keystone.identity.backends.ldap.Identity' } })).toThrow(
    /ldap.*not supported/,
  );
  expect(() => check({ catalog: { driver: 'example.Catalog' } })).toThrow(/example.Catalog is not supported/);
  check({ catalog: { driver: 'keystone.catalog.backends.templated.TemplatedCatalog' } });
});

it('refuses TLS that cannot work as it is configured', () => {
  expect(() => check({ ssl: { enable: 'true' } })).toThrow(/needs certfile/);
  expect(() => check({ ssl: { enable: 'true', certfile: 'c', cert_required: 'true' } })).toThrow(/ca_certs/);
  check({ ssl: { certfile: 'c', cert_required: 'true' } });
});
