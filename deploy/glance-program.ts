import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { authTokenSettings, type IdentityValidator, identityValidator, keystoneClient } from '@folsom/auth';
import { type Config, configFrom, loadConfig, RELEASE } from '@folsom/config';
import { createLogger, systemClock, systemRandom, type World } from '@folsom/core';
import { type Database, openDatabase } from '@folsom/db';
import { imageOptions, pasteOptions, type Registry, remoteRegistry } from '@folsom/image';
import { type Bus, createRabbitBus, rpcOptions } from '@folsom/rpc';
import { glanceConf } from './conf/glance.ts';
import { programLog } from './program-log.ts';

export interface GlanceProgram {
  config: Config;
  world: World;
}

/** Reads a glance program's configuration; null when help or the version was asked for and printed. */
export function glanceProgram(
  argv: string[],
  program: string,
  files: readonly string[],
): GlanceProgram | null {
  const starting = createLogger({ fields: { service: program } });
  const config = loadConfig({
    program,
    ...glanceConf,
    files,
    argv,
    log: starting,
  });
  if (config.wants) {
    process.stdout.write(config.wants === 'help' ? config.help() : `${RELEASE}\n`);
    return null;
  }
  const log = programLog(config, program);
  log.debug('configuration', config.dump());
  return { config, world: { clock: systemClock, random: systemRandom, log } };
}

export const openGlanceDatabase = ({ config, world }: GlanceProgram): Promise<Database> =>
  openDatabase({ connection: config.of(imageOptions).sql_connection, name: 'glance', ...world });

/** The registry the configuration names; null when the program works on the database itself. */
export function configuredRegistry(
  { config }: GlanceProgram,
  serviceToken?: () => Promise<string | null>,
): (Registry & { close(): void }) | null {
  const settings = config.of(imageOptions);
  const protocol = settings.registry_client_protocol;
  if (protocol === 'local') return null;
  const file = (path: string | null) => (path === null ? undefined : readFileSync(path));
  const [key, cert, ca] = [
    file(settings.registry_client_key_file),
    file(settings.registry_client_cert_file),
    file(settings.registry_client_ca_file),
  ];
  return remoteRegistry({
    host: settings.registry_host,
    port: settings.registry_port,
    protocol: protocol === 'https' ? 'https' : 'http',
    tls: { ...(key ? { key } : {}), ...(cert ? { cert } : {}), ...(ca ? { ca } : {}) },
    ...(serviceToken ? { serviceToken } : {}),
  });
}

/** Checks tokens if the pipeline asks for them. */
export async function configuredValidator(
  { config, world }: GlanceProgram,
  bus: Bus | null = null,
): Promise<IdentityValidator | null> {
  if (!config.of(pasteOptions).flavor?.includes('keystone')) return null;
  return identityValidator({ settings: authTokenSettings(config), world, bus, host: hostname() });
}

/** The broker of the notifications, when they go to one. */
export function notificationBus({ config, world }: GlanceProgram): Bus | null {
  const settings = config.of(imageOptions);
  if (settings.notifier_strategy !== 'rabbit') return null;
  const { rabbit_host, rabbit_port, rabbit_userid, rabbit_password, rabbit_virtual_host } = settings;
  const options = configFrom([rpcOptions], {
    DEFAULT: {
      rabbit_host,
      rabbit_port,
      rabbit_userid,
      rabbit_password,
      rabbit_virtual_host,
      rabbit_use_ssl: settings.rabbit_use_ssl,
      rabbit_durable_queues: settings.rabbit_durable_queues,
      control_exchange: settings.rabbit_notification_exchange,
    },
  }).of(rpcOptions);
  return createRabbitBus({ options, world });
}

/** What a tool uses instead of a user's token: `admin_user` at `auth_url`. */
export function toolToken({ config, world }: GlanceProgram): (() => Promise<string | null>) | undefined {
  const { auth_url, admin_user, admin_password, admin_tenant_name } = config.of(imageOptions);
  if (!auth_url || !admin_user) return undefined;
  const url = new URL(auth_url);
  const client = keystoneClient(
    {
      ...authTokenSettings(config),
      adminUrl: url.origin,
      adminUser: admin_user,
      adminPassword: admin_password,
      adminTenantName: admin_tenant_name ?? 'admin',
      adminToken: null,
    },
    world,
  );
  return () => client.token();
}

/** Runs a tool's work with what its configuration names, the database or a registry. */
export async function withToolParts<T>(
  program: GlanceProgram,
  work: (parts: { db?: Database; registry?: Registry }) => Promise<T>,
): Promise<T> {
  const registry = configuredRegistry(program, toolToken(program));
  if (registry) {
    try {
      return await work({ registry });
    } finally {
      registry.close();
    }
  }
  const db = await openGlanceDatabase(program);
  try {
    return await work({ db });
  } finally {
    await db.close();
  }
}
