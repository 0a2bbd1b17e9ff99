import { bool, type Config, ConfigError, int, list, options, parseBool, secret, str } from '@folsom/config';

/**
 * How a service reaches the identity service: the section `[keystone_authtoken]`, or the same names in the filter section
 * of a paste file. Names and defaults are Folsom's; options of our own say so.
 */
export const authTokenOptions = options('keystone_authtoken', {
  auth_admin_prefix: str('', 'Path before /v2.0 of the admin API'),
  auth_host: str('127.0.0.1', 'Host of the admin API'),
  auth_port: int(35357, 'Port of the admin API', { min: 0, max: 65_535 }),
  auth_protocol: str('https', 'http or https', { choices: ['http', 'https'] }),
  auth_uri: str(null, 'What the answer 401 names as the place to log in'),
  delay_auth_decision: bool(false, 'Let the service decide about requests without a valid token'),
  admin_token: secret(null, 'Shared secret instead of a user'),
  admin_user: str(null, 'User of the service'),
  admin_password: secret(null, 'Password of that user'),
  admin_tenant_name: str('admin', 'Tenant of that user'),
  certfile: str(null, 'Client certificate'),
  keyfile: str(null, 'Its private key'),
  cafile: str(null, 'Our own: authorities the identity service may be certified by'),
  insecure: bool(false, 'Our own: do not check who the identity service is'),
  signing_dir: str(null, 'Directory that must belong to the service alone; nothing is kept in it any more'),
  memcache_servers: list(null, 'Accepted; use redis_url to share a cache between processes'),
  token_cache_time: int(300, 'Seconds an answer is kept; revocation is followed all the same', { min: 0 }),
  redis_url: secret(null, 'Our own: redis://host:port/db of a cache shared between processes'),
  memcache_security_strategy: str(null, 'MAC or ENCRYPT: how values in the shared cache are protected', {
    choices: ['MAC', 'ENCRYPT'],
  }),
  memcache_secret_key: secret(null, 'Key of that protection'),
});

export interface AuthTokenSettings {
  /** `http://127.0.0.1:35357`, without a slash at the end. */
  adminUrl: string;
  authUri: string;
  delayAuthDecision: boolean;
  adminToken: string | null;
  adminUser: string | null;
  adminPassword: string | null;
  adminTenantName: string;
  certfile: string | null;
  keyfile: string | null;
  cafile: string | null;
  insecure: boolean;
  signingDir: string | null;
  tokenCacheMs: number;
  redisUrl: string | null;
  cacheSecurity: { strategy: 'MAC' | 'ENCRYPT'; secret: string } | null;
}

/**
 * The settings from the configuration, with those of a paste filter section (`filter:authtoken`) before them, as the
 * original ranks them. Throws ConfigError for what makes no sense.
 */
export function authTokenSettings(
  config: Config,
  paste: Readonly<Record<string, string>> = {},
): AuthTokenSettings {
  const given = config.of(authTokenOptions);
  const text = (name: keyof typeof given): string | null => {
    const value = paste[name] ?? given[name];
    return value === null || value === undefined || value === '' ? null : String(value);
  };
  const flag = (name: 'insecure' | 'delay_auth_decision'): boolean => {
    const value = paste[name];
    if (value === undefined) return given[name];
    const parsed = parseBool(value);
    if (parsed === undefined) throw new ConfigError(`${name}: "${value}" is neither true nor false`);
    return parsed;
  };
  const number = (name: 'auth_port' | 'token_cache_time'): number => {
    const value = Number(paste[name] ?? given[name]);
    if (!Number.isInteger(value) || value < 0)
      throw new ConfigError(`${name}: "${paste[name]}" is no number`);
    return value;
  };
  const protocol = text('auth_protocol') ?? 'https';
  if (protocol !== 'http' && protocol !== 'https') {
    throw new ConfigError(`auth_protocol: "${protocol}" is neither http nor https`);
  }
  const host = text('auth_host') ?? '127.0.0.1';
  const origin = `${protocol}://${host.includes(':') ? `[${host}]` : host}:${number('auth_port')}`;
  const strategy = text('memcache_security_strategy');
  const key = text('memcache_secret_key');
  if (strategy !== null && strategy !== 'MAC' && strategy !== 'ENCRYPT') {
    throw new ConfigError(`memcache_security_strategy: "${strategy}" is neither MAC nor ENCRYPT`);
  }
  if (strategy !== null && key === null) {
    throw new ConfigError('memcache_security_strategy needs memcache_secret_key');
  }
  return {
    adminUrl: origin + (text('auth_admin_prefix') ?? '').replace(/\/$/, ''),
    authUri: text('auth_uri') ?? origin,
    delayAuthDecision: flag('delay_auth_decision'),
    adminToken: text('admin_token'),
    adminUser: text('admin_user'),
    adminPassword: text('admin_password'),
    adminTenantName: text('admin_tenant_name') ?? 'admin',
    certfile: text('certfile'),
    keyfile: text('keyfile'),
    cafile: text('cafile'),
    insecure: flag('insecure'),
    signingDir: text('signing_dir'),
    tokenCacheMs: number('token_cache_time') * 1000,
    redisUrl: text('redis_url'),
    cacheSecurity: strategy === null || key === null ? null : { strategy, secret: key },
  };
}
