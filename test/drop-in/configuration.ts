import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withOption } from '@folsom/deploy/ini-edit';
import type { Originals } from './originals.ts';
import { CONTROL, HOSTS, type Listener, type Place } from './programs.ts';

/** What the files of a cloud say of the machine it is on. */
export interface Facts {
  /** Everything of the cloud lies in it. */
  dir: string;
  /** `mysql://USER:PASSWORD@HOST:PORT/NAME`, by the name of the database. */
  database(name: string): string;
  rabbitPort: number;
  memcachedPort: number;
  ports: Record<Listener, number>;
}

export const ADMIN_TOKEN = 'drop-in-admin-token';
/** Of everybody. */
export const PASSWORD = 'drop-in-password';
export const SERVICE_TENANT = 'service';
export const SERVICE_USER = 'services';

const HERE = '127.0.0.1';

type Options = Record<string, string | number | boolean>;

/** An INI file's text. */
export const iniText = (sections: Record<string, Options>): string =>
  Object.entries(sections)
    .map(
      ([name, options]) =>
        `[${name}]\n${Object.entries(options)
          .map(([key, value]) => `${key} = ${value}\n`)
          .join('')}`,
    )
    .join('\n');

/** The configuration files of a cloud, the same for both sides. */
export interface Files {
  /** The command line of a program behind its name. */
  args(place: Place): string[];
  /** For `keystone-manage`, `glance-manage`, `nova-manage`. */
  manage: Record<'keystone' | 'glance' | 'nova', readonly string[]>;
}

/** Writes keystone's, glance's and nova's files. What the originals ship (pipelines, policies) is read where it is. */
export function writeFiles(facts: Facts, originals: Originals): Files {
  const etc = join(facts.dir, 'etc');
  mkdirSync(etc, { recursive: true });
  const write = (name: string, text: string): string => {
    const path = join(etc, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  };
  const shipped = (...path: string[]) =>
    join(originals.sources(path[0] as Place['project']), ...path.slice(1));
  const withAuth = (text: string) =>
    text
      .replaceAll('%SERVICE_TENANT_NAME%', SERVICE_TENANT)
      .replaceAll('%SERVICE_USER%', SERVICE_USER)
      .replaceAll('%SERVICE_PASSWORD%', PASSWORD)
      .replace(/^auth_port = .*$/gm, `auth_port = ${facts.ports.identityAdmin}`)
      .replace(/^signing_dir = .*$/gm, `signing_dir = ${join(facts.dir, 'signing')}`);
  const read = (...path: string[]) => readFileSync(shipped(...path), 'utf8');

  let keystone = read('keystone', 'etc', 'keystone.conf.sample');
  for (const [section, options] of Object.entries(
    keystoneSections(facts, shipped('keystone', 'etc', 'policy.json')),
  ))
    for (const [name, value] of Object.entries(options))
      keystone = withOption(keystone, section, name, String(value));
  const keystoneFile = write('keystone.conf', keystone);

  const glance = (name: string, options: Options) =>
    write(
      `${name}.conf`,
      iniText({
        DEFAULT: {
          ...{ verbose: false, bind_host: HERE, workers: 1, sql_connection: facts.database('glance') },
          ...options,
        },
        keystone_authtoken: authToken(facts),
        paste_deploy: {
          flavor: 'keystone',
          config_file: write(`${name}-paste.ini`, read('glance', 'etc', `${name}-paste.ini`)),
        },
      }),
    );
  const registryFile = glance('glance-registry', { bind_port: facts.ports.registry });
  const imageFile = glance('glance-api', imageOptions(facts, shipped('glance', 'etc', 'policy.json')));

  const novaFile = write(
    'nova.conf',
    iniText({
      DEFAULT: novaOptions(facts, {
        paste: write('api-paste.ini', withAuth(read('nova', 'etc', 'nova', 'api-paste.ini'))),
        policy: shipped('nova', 'etc', 'nova', 'policy.json'),
      }),
    }),
  );
  const hosts = [CONTROL, 'control2', ...HOSTS].map(
    host => [host, write(`host-${host}.conf`, iniText({ DEFAULT: { host } }))] as const,
  );
  const hostFile = new Map(hosts);
  const file = (path: string) => ['--config-file', path];
  const ofProgram: Record<string, string[]> = {
    'keystone-all': file(keystoneFile),
    'glance-registry': file(registryFile),
    'glance-api': file(imageFile),
  };
  return {
    args: ({ program, project, host = CONTROL }) =>
      project === 'swift'
        ? [join(etc, `${program.replace(/^swift-(\w+)-.*/, '$1')}-server.conf`)]
        : (ofProgram[program] ?? [...file(novaFile), ...file(hostFile.get(host) ?? '')]),
    manage: { keystone: file(keystoneFile), glance: file(registryFile), nova: file(novaFile) },
  };
}

export const authToken = ({ ports, dir }: Facts): Options => ({
  ...{ auth_host: HERE, auth_port: ports.identityAdmin, auth_protocol: 'http' },
  ...{ admin_tenant_name: SERVICE_TENANT, admin_user: SERVICE_USER, admin_password: PASSWORD },
  signing_dir: join(dir, 'signing'),
});

const keystoneSections = ({ database, ports }: Facts, policy: string): Record<string, Options> => ({
  DEFAULT: {
    ...{ admin_token: ADMIN_TOKEN, bind_host: HERE, verbose: false, policy_file: policy },
    ...{ public_port: ports.identity, admin_port: ports.identityAdmin, compute_port: ports.compute },
  },
  sql: { connection: database('keystone') },
  identity: { driver: 'keystone.identity.backends.sql.Identity' },
  token: { driver: 'keystone.token.backends.sql.Token' },
  catalog: { driver: 'keystone.catalog.backends.sql.Catalog' },
  ec2: { driver: 'keystone.contrib.ec2.backends.sql.Ec2' },
});

const imageOptions = ({ dir, ports, rabbitPort }: Facts, policy: string): Options => ({
  ...{ bind_port: ports.image, registry_host: HERE, registry_port: ports.registry, policy_file: policy },
  ...{ default_store: 'file', filesystem_store_datadir: join(dir, 'images') },
  ...{ scrubber_datadir: join(dir, 'scrubber'), image_cache_dir: join(dir, 'image-cache') },
  ...{ notifier_strategy: 'rabbit', rabbit_host: HERE, rabbit_port: rabbitPort },
});

const novaOptions = (
  { dir, database, rabbitPort, ports }: Facts,
  { paste, policy }: { paste: string; policy: string },
): Options => ({
  ...{ verbose: false, state_path: join(dir, 'nova'), lock_path: join(dir, 'nova', 'lock'), my_ip: HERE },
  ...{ sql_connection: database('nova'), rabbit_host: HERE, rabbit_port: rabbitPort },
  ...{ auth_strategy: 'keystone', api_paste_config: paste, policy_file: policy, api_rate_limit: false },
  ...{ enabled_apis: 'osapi_compute,osapi_volume,metadata', use_forwarded_for: true },
  ...{ osapi_compute_listen: HERE, osapi_compute_listen_port: ports.compute },
  ...{ osapi_volume_listen: HERE, osapi_volume_listen_port: ports.volume },
  ...{ metadata_listen: HERE, metadata_listen_port: ports.metadata, metadata_host: HERE },
  ...{ metadata_port: ports.metadata, glance_api_servers: `${HERE}:${ports.image}`, image_service: GLANCE },
  ...{ compute_driver: 'nova.virt.fake.FakeDriver', connection_type: 'fake', fake_network: true },
  ...{ firewall_driver: 'nova.virt.firewall.NoopFirewallDriver', force_dhcp_release: false },
  ...{ network_manager: 'nova.network.manager.FlatDHCPManager', flat_network_bridge: 'br100' },
  ...{ volume_api_class: 'nova.volume.api.API', volume_driver: 'nova.volume.driver.FakeISCSIDriver' },
  ...{ iscsi_helper: 'ietadm', report_interval: 1, service_down_time: 60, rpc_response_timeout: 60 },
  // A resize goes to the other host, so that two computes have to understand each other.
  ...{ allow_resize_to_same_host: false, resize_confirm_window: 0, image_cache_manager_interval: 0 },
});

const GLANCE = 'nova.image.glance.GlanceImageService';
