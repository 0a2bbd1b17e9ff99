import { bool, int, options, port, secret, str } from '@folsom/config';
import { keystoneLdapOptions } from './directory/options.ts';

/** keystone.conf: names and defaults are Folsom's; options of our own say so. */
export const keystoneOptions = options('DEFAULT', {
  admin_token: secret('ADMIN', 'Shared secret that stands for an administrator; empty switches it off'),
  bind_host: str('0.0.0.0', 'Address to listen on'),
  public_port: port(5000, 'Port of the public API'),
  admin_port: port(35357, 'Port of the admin API'),
  compute_port: port(8774, 'Value of $(compute_port)s in endpoint templates'),
  onready: str(null, 'Command to run when both ports answer, or keystone.common.systemd'),
  max_param_size: int(64, 'Longest names and ids in a login', { min: 1 }),
  max_token_size: int(8192, 'Longest token', { min: 1 }),
  crypt_strength: int(40_000, 'Rounds of sha512_crypt for new passwords', { min: 1000, max: 999_999_999 }),
  policy_file: str('policy.json', 'Rules of who may do what'),
  policy_default_rule: str('default', 'Rule for actions that have none'),
});

export const keystoneSqlOptions = options('sql', {
  connection: secret('sqlite:///keystone.db', 'Database, e.g. mysql://keystone:password@host/keystone'),
});

export const keystoneTokenOptions = options('token', {
  expiration: int(86_400, 'Seconds a token is valid', { min: 1 }),
  revocation_bus: bool(
    false,
    'Our own: tell services of ended tokens over RabbitMQ (rabbit_host …) at once; without, they ask twice a second',
  ),
});

export const keystoneSigningOptions = options('signing', {
  token_format: str('UUID', 'UUID, PKI, or (our own) JWT: signed, checked without a call', {
    choices: ['UUID', 'PKI', 'JWT'],
  }),
  certfile: str('/etc/keystone/ssl/certs/signing_cert.pem', 'Certificate that signs PKI tokens'),
  keyfile: str('/etc/keystone/ssl/private/signing_key.pem', 'Its private key'),
  ca_certs: str('/etc/keystone/ssl/certs/ca.pem', 'Certificate of the authority that issued it'),
  key_size: int(1024, 'Bits of keys made by pki_setup (at least 2048 are made)'),
  valid_days: int(3650, 'Days the certificates of pki_setup are valid', { min: 1 }),
  jwt_key_dir: str(
    '/var/lib/keystone/token-keys',
    'Our own: directory of the key pairs of JWT tokens, mode 0700',
  ),
});

export const keystoneEc2Options = options('ec2', {
  require_service_caller: bool(
    true,
    'Our own: ec2tokens and s3tokens answer only to callers with an administrator token',
  ),
  signature_max_age: int(900, 'Our own: seconds after which a signed request is too old; 0: never', {
    min: 0,
  }),
  signature_repeat_window: int(
    2,
    'Our own: seconds after signing in which the same request may come again; later it is a replay',
    { min: 0 },
  ),
  signature_read_repeat_window: int(
    60,
    'Our own: the same for EC2 requests that only read (Describe…, Get…) and are signed with all they say (version 2)',
    { min: 0 },
  ),
});

export const keystoneIdentityOptions = options('identity', {
  driver: str(
    'keystone.identity.backends.sql.Identity',
    'The database, or keystone.identity.backends.ldap.Identity for the directory of [ldap]; any other driver is refused',
  ),
});
export const keystoneCatalogOptions = options('catalog', {
  driver: str(
    'keystone.catalog.backends.sql.Catalog',
    'The database, or keystone.catalog.backends.templated.TemplatedCatalog for template_file',
  ),
  template_file: str(
    'default_catalog.templates',
    'Catalog of TemplatedCatalog: lines catalog.REGION.SERVICE.KEY = VALUE; beside the configuration, or in /etc/keystone',
  ),
});

export const keystoneSslOptions = options('ssl', {
  enable: bool(false, 'TLS on both ports'),
  certfile: str(null, 'Certificate of the service'),
  keyfile: str(null, 'Its private key; unset where it stands in certfile'),
  ca_certs: str(null, 'Authority that client certificates must come from'),
  cert_required: bool(false, 'Whether clients must show a certificate'),
});

/** Everything the identity service reads from its configuration. */
export const identityOptions = [
  keystoneOptions,
  keystoneSqlOptions,
  keystoneTokenOptions,
  keystoneSigningOptions,
  keystoneEc2Options,
  keystoneSslOptions,
  keystoneIdentityOptions,
  keystoneLdapOptions,
  keystoneCatalogOptions,
];
