import { existsSync } from 'node:fs';
import {
  isAdminRole,
  type RevocationList,
  revocationList,
  signedTokenReader,
  type TokenInfo,
  type TokenValidator,
} from '@folsom/auth';
import { type Config, findConfigFile } from '@folsom/config';
import { Fault, type RunningService, sqlSeconds, type Timer, type World } from '@folsom/core';
import { checkWithOwnTables, type Database } from '@folsom/db';
import type { TlsFiles } from '@folsom/http';
import { type MountedOperation, operationsOf } from '@folsom/http/operation';
import { loadPolicy, type Policy, policyFile } from '@folsom/policy';
import type { Bus } from '@folsom/rpc';
import { identityApp } from './api/app.ts';
import { authorization } from './api/authorize.ts';
import type { Dependencies } from './api/dependencies.ts';
import { statistics } from './api/statistics.ts';
import { type CatalogSource, catalogState, databaseCatalog, templateCatalog } from './catalog-state.ts';
import { refuseDefaultSecret } from './default-secret.ts';
import { directoryIdentities } from './directory/identities.ts';
import { fresh } from './fresh.ts';
import type { Identities } from './identities.ts';
import { IDENTITY_LIMITS } from './limits.ts';
import {
  keystoneCatalogOptions,
  keystoneEc2Options,
  keystoneIdentityOptions,
  keystoneOptions,
  keystoneSigningOptions,
  keystoneSslOptions,
  keystoneTokenOptions,
} from './options.ts';
import { passwords } from './passwords.ts';
import { pki } from './pki/pki.ts';
import { databaseIdentities } from './repositories/identities.ts';
import { flushTokens } from './repositories/tokens.ts';
import { signedLogin } from './signed-login.ts';
import { readEc2Credentials, readS3Credentials } from './signed-request.ts';
import { adoptStoredTokens } from './tokens/adoption.ts';
import { type EndTokens, endTokens } from './tokens/end-tokens.ts';
import { forgetRetiredKeys, openTokenKeys } from './tokens/jwt-keys.ts';
import { revocationLog } from './tokens/revocation-log.ts';
import type { Token } from './tokens/token.ts';
import { createTokens, type TokenFormat } from './tokens/tokens.ts';
import { isDirectory, isTemplated, refuseUnsupported } from './unsupported.ts';

export interface IdentityOptions {
  config: Config;
  db: Database;
  /** Carries revocations to the other services; null where there is none. */
  bus: Bus | null;
  world: World;
  /** Name of this host on the bus. */
  host?: string;
  /** Instead of the configured ports. */
  ports?: { public: number; admin: number };
  /** Instead of bind_host. */
  bindHost?: string;
  /** Is told of faults that came out of an operation which does not declare them; for tests. */
  undeclared?: (fault: Fault, operation: { name: string }) => void;
}

export interface RunningIdentity extends RunningService {
  /** `host:port` of the public and of the admin API. */
  addresses: readonly [string, string];
  /** Validates tokens without HTTP, for services in the same process. */
  validator: TokenValidator;
  /** A token for a signed EC2 or S3 request, without HTTP; null when the signature is refused. */
  ec2Login(credentials: Record<string, unknown>): Promise<TokenInfo | null>;
  s3Login(credentials: Record<string, unknown>): Promise<TokenInfo | null>;
  /** What has been revoked, as every validator in this process sees it. */
  revocations: RevocationList;
  /** Everything the API offers: documentation and generated tests are made from it. */
  operations: readonly MountedOperation[];
}

const DEFAULT_POLICY = '{"admin_required": [["role:admin"], ["is_admin:1"]]}';

/** Starts keystone: the public and the admin API. */
export async function startIdentity(options: IdentityOptions): Promise<RunningIdentity> {
  const { config, db, world } = options;
  const keystone = config.of(keystoneOptions);
  refuseUnsupported(config);
  refuseDefaultSecret(keystone.admin_token, options.bindHost ?? keystone.bind_host, world.log);
  await checkWithOwnTables(db, 'keystone');
  const parts = partsOf(options);
  const { tokens, catalog, signed, log, revocations, identities } = parts;
  const { apps, addresses } = await serve(options, parts);
  const timers = upkeep(options, parts);
  const infoOf = async (token: Token): Promise<TokenInfo> => ({
    id: token.id,
    expiresAt: token.expiresAt,
    issuedAt: token.issuedAt,
    userId: token.user.id,
    userName: token.user.name,
    tenantId: token.tenant?.id ?? null,
    tenantName: token.tenant?.name ?? null,
    roles: token.roles.map(role => role.name),
    isAdmin: token.roles.some(role => isAdminRole(role.name)),
    serviceCatalog: token.tenant ? await catalog.forToken(token.user.id, token.tenant.id) : [],
  });
  const refusedAsNull = async (login: () => Promise<Token>): Promise<TokenInfo | null> => {
    try {
      return await infoOf(await login());
    } catch (error) {
      if (error instanceof Fault && error.status < 500) return null;
      throw error;
    }
  };
  let stopping: Promise<void> | undefined;
  const adoption = adoptStoredTokens({ db, world });
  return {
    name: 'keystone',
    addresses,
    revocations,
    operations: apps.flatMap(operationsOf),
    validator: {
      validate: async id => {
        const token = await tokens.find(id);
        return token ? infoOf(token) : null;
      },
    },
    ec2Login: given => refusedAsNull(() => signed.ec2(readEc2Credentials(given))),
    s3Login: given => refusedAsNull(() => signed.s3(readS3Credentials(given))),
    stop: () => {
      stopping ??= (async () => {
        for (const timer of timers) timer.cancel();
        await adoption.stop();
        revocations.release();
        await Promise.all(apps.map(app => app.stop()));
        await log.stop();
        await identities.stop();
      })();
      return stopping;
    },
  };
}

const portsOf = ({ config, ports }: IdentityOptions): { public: number; admin: number } => {
  const { public_port, admin_port } = config.of(keystoneOptions);
  return ports ?? { public: public_port, admin: admin_port };
};

const lifetimeOf = (config: Config): number => config.of(keystoneTokenOptions).expiration * 1000;

/** Tokens, what signs and revokes them, and the catalog that goes with them. */
function partsOf(options: IdentityOptions) {
  const { config, db, bus, world } = options;
  const signing = config.of(keystoneSigningOptions);
  const format = signing.token_format as TokenFormat;
  const revocations = revocationList(world.clock, world.random.hex(16));
  const log = revocationLog({ db, bus, world, host: options.host ?? 'localhost', list: revocations });
  // Signed tokens stay good when the format is changed: whoever has keys accepts them.
  const keys =
    format === 'JWT' || existsSync(`${signing.jwt_key_dir}/current`)
      ? openTokenKeys(signing.jwt_key_dir)
      : null;
  const identities = configuredIdentities(
    options,
    endTokens({ log, clock: world.clock, lifetimeMs: lifetimeOf(config) }),
  );
  const roles = fresh(identities.listRoles, IDENTITY_LIMITS.freshMs, world.clock);
  const signer = pki({
    certfile: signing.certfile,
    keyfile: signing.keyfile,
    caCerts: signing.ca_certs,
    clock: world.clock,
    log: world.log,
  });
  const tokens = createTokens({
    db,
    world,
    format,
    lifetimeMs: lifetimeOf(config),
    log,
    keys,
    reader: keys ? signedTokenReader({ publicKey: keys.publicKey }) : null,
    roles,
    findTenant: identities.findTenant,
    pkiSign: format === 'PKI' ? signer.signToken : null,
  });
  const ports = portsOf(options);
  const catalog = catalogState(
    configuredCatalog(config, db),
    {
      public_port: String(ports.public),
      admin_port: String(ports.admin),
      compute_port: String(config.of(keystoneOptions).compute_port),
    },
    world,
  );
  const settings = config.of(keystoneEc2Options);
  const ec2 = {
    requireServiceCaller: settings.require_service_caller,
    signatureMaxAgeMs: settings.signature_max_age * 1000,
    repeatWindowMs: settings.signature_repeat_window * 1000,
    readRepeatWindowMs: settings.signature_read_repeat_window * 1000,
  };
  const signed = signedLogin({ db, identities, tokens, world, roles, ec2 });
  return { revocations, log, keys, identities, roles, signer, tokens, catalog, ec2, signed };
}

type Parts = ReturnType<typeof partsOf>;

/** Opens both ports. */
async function serve(options: IdentityOptions, parts: Parts) {
  const { config, db, world } = options;
  const { revocations, log, keys, identities, roles, signer, tokens, catalog, ec2, signed } = parts;
  const keystone = config.of(keystoneOptions);
  const dependencies: Dependencies = {
    db,
    world,
    tokens,
    authorize: authorization(tokens, configuredPolicy(config, world)),
    identities,
    catalog,
    roles,
    revocations,
    statistics: statistics(),
    pki: signer,
    publicKeys: () => keys?.list() ?? {},
    limits: { paramCharsMax: keystone.max_param_size, tokenCharsMax: keystone.max_token_size },
    signed,
    ec2,
  };
  const tls = configuredTls(config);
  const appFor = (port: 'public' | 'admin') =>
    identityApp({
      port,
      dependencies,
      adminToken: keystone.admin_token,
      checks: { database: db.ping, ...identities.checks },
      ...(tls ? { tls } : {}),
      ...(options.undeclared ? { undeclared: options.undeclared } : {}),
    });
  const apps = [appFor('public'), appFor('admin')] as const;
  await log.start();
  const host = options.bindHost ?? keystone.bind_host;
  const ports = portsOf(options);
  try {
    const addresses: [string, string] = [
      await apps[0].listen({ host, port: ports.public }),
      await apps[1].listen({ host, port: ports.admin }),
    ];
    return { apps, addresses };
  } catch (error) {
    await log.stop();
    await Promise.all(apps.map(app => app.stop()));
    await identities.stop();
    throw error;
  }
}

/** Deletes what has expired, and takes up keys that were changed. */
function upkeep({ config, db, world }: IdentityOptions, { keys }: Parts): Timer[] {
  const refreshKeys = () => {
    try {
      keys?.refresh();
    } catch (error) {
      world.log.error('token keys cannot be read', { error });
    }
  };
  const tidy = async () => {
    const before = world.clock.now() - IDENTITY_LIMITS.expiredKeptMs;
    const count = await flushTokens(db, before, IDENTITY_LIMITS.flushRowsMax);
    if (count > 0) world.log.info('expired tokens deleted', { count, before: sqlSeconds(before) });
    await db.knex('folsom_revocation').where('expires', '<', world.clock.now()).delete();
    const { jwt_key_dir } = config.of(keystoneSigningOptions);
    if (keys) forgetRetiredKeys(jwt_key_dir, lifetimeOf(config), world.clock);
  };
  const timers = [
    world.clock.every(IDENTITY_LIMITS.flushEveryMs, () => {
      tidy().catch(error => world.log.warn('old tokens could not be deleted', { error }));
    }),
  ];
  if (keys) timers.push(world.clock.every(IDENTITY_LIMITS.freshMs, refreshKeys));
  return timers;
}

/** Where keystone.conf's files are looked for when they do not stand beside it. */
const CONFIG_FOLDER = '/etc/keystone';

function configuredPolicy(config: Config, world: World): Policy {
  const { policy_file: file, policy_default_rule: defaultRule } = config.of(keystoneOptions);
  const path = findConfigFile(config, file, CONFIG_FOLDER);
  return path === undefined
    ? loadPolicy(DEFAULT_POLICY, defaultRule)
    : policyFile(path, { clock: world.clock, log: world.log, defaultRule });
}

function configuredIdentities({ config, db, world }: IdentityOptions, ends: EndTokens): Identities {
  if (isDirectory(config.of(keystoneIdentityOptions).driver))
    return directoryIdentities({ config, db, world, endTokens: ends });
  const rounds = config.of(keystoneOptions).crypt_strength;
  return databaseIdentities({ db, passwords: passwords({ world, rounds }), endTokens: ends });
}

function configuredCatalog(config: Config, db: Database): CatalogSource {
  const { driver, template_file: file } = config.of(keystoneCatalogOptions);
  if (!isTemplated(driver)) return databaseCatalog(db);
  return templateCatalog(findConfigFile(config, file, CONFIG_FOLDER) ?? file);
}

function configuredTls(config: Config): TlsFiles | undefined {
  const { enable, certfile, keyfile, ca_certs, cert_required } = config.of(keystoneSslOptions);
  if (!enable || certfile === null) return undefined;
  return { certfile, keyfile, caCerts: ca_certs, certRequired: cert_required };
}
