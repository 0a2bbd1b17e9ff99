import { notHonoured, QUIET } from '@folsom/config';

/** Options of keystone.conf that nothing acts on, with the original's defaults, by the reason. */
export const identityNotHonoured = [
  ...notHonoured(
    'DEFAULT',
    'a log line is one JSON object; see debug, log_file, log_dir and use_syslog',
    {
      log_date_format: '%Y-%m-%d %H:%M:%S',
      log_format: '%(asctime)s %(levelname)8s [%(name)s] %(message)s',
    },
    QUIET,
  ),
  ...notHonoured(
    'DEFAULT',
    "the file is one of Python's logging module; see debug, log_file, log_dir and use_syslog",
    {
      log_config: null,
    },
  ),
  ...notHonoured(
    'DEFAULT',
    'no program of 2012 asks for it',
    {
      auth_admin_prefix: '',
    },
    QUIET,
  ),
  ...notHonoured(
    'sql',
    'it tunes the insides of the Python program',
    {
      idle_timeout: '200',
    },
    QUIET,
  ),
  ...notHonoured('signing', 'pki_setup makes keys without a password', {
    ca_password: null,
  }),
  ...notHonoured(
    'ldap',
    'as with the original, a groupOfNames always has the member that is nobody: it must have one',
    {
      use_dumb_member: false,
    },
    QUIET,
  ),
  ...notHonoured(
    'pam',
    'identities are kept in the database; a driver that asks PAM is refused',
    {
      password: null,
      url: null,
      userid: null,
    },
    QUIET,
  ),
  ...notHonoured('policy', 'the driver is built in: rules of policy_file', {
    driver: 'keystone.policy.backends.rules.Policy',
  }),
  ...notHonoured('stats', 'the driver is built in, and counts nothing', {
    driver: 'keystone.contrib.stats.backends.kvs.Stats',
  }),
  ...notHonoured(
    'token',
    'tokens are kept in the database',
    {
      driver: 'keystone.token.backends.kvs.Token',
    },
    QUIET,
  ),
  ...notHonoured(
    'memcache',
    'tokens are kept in the database',
    {
      servers: 'localhost:11211',
    },
    QUIET,
  ),
  ...notHonoured(
    'ec2',
    'credentials are kept in the database',
    {
      driver: 'keystone.contrib.ec2.backends.kvs.Ec2',
    },
    QUIET,
  ),
];
