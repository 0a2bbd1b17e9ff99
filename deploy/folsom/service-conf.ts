import { createHmac } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Config, ConfigError, companionsOf, loadConfig } from '@folsom/config';
import type { Logger } from '@folsom/core';
import type { ConfFile } from '../conf/conf-file.ts';
import { glanceConf } from '../conf/glance.ts';
import { keystoneConf } from '../conf/keystone.ts';
import { novaConf } from '../conf/nova.ts';
import { BRIDGE, type Layout, LOOPBACK } from './layout.ts';
import type { CloudOptions, ServiceName, Setting } from './part.ts';
import { CannotStart } from './preflight.ts';
import type { Secrets } from './secrets.ts';

/** Texts by section and option. */
export type Values = Record<string, Record<string, string | number | boolean>>;

type Decided = Pick<
  CloudOptions,
  'layout' | 'ports' | 'hostIp' | 'compute' | 'fixedRange' | 'floatingRange'
> & { secrets: Pick<Secrets, 'adminToken'> };

/** A service whose options stand in a file of its own. */
export interface ServiceConf extends ConfFile {
  name: ServiceName;
  /** File below `DIR/etc`; made at the first start, the operator's from then on. */
  file: string;
  /** What suits a cloud of one machine; the operator's file ranks above. */
  defaults: (options: Decided) => Values;
  /** What a start decides by its own options, and the layout of the state directory. */
  decided: (options: Decided) => Values;
}

/** Name of this node in nova's service records. */
const NODE = 'folsom';

const keystone: ServiceConf = {
  name: 'keystone',
  file: 'keystone.conf',
  ...keystoneConf,
  defaults: () => ({ DEFAULT: { policy_file: 'keystone_policy.json' } }),
  decided: ({ layout, ports, hostIp, secrets }) => ({
    DEFAULT: {
      admin_token: secrets.adminToken,
      bind_host: hostIp,
      public_port: ports.identityPublic,
      admin_port: ports.identityAdmin,
      compute_port: ports.compute,
    },
    sql: { connection: `sqlite:///${layout.db('keystone')}` },
    signing: { token_format: 'JWT', jwt_key_dir: `${layout.keystone}/token-keys` },
  }),
};

const glance: ServiceConf = {
  name: 'glance',
  file: 'glance-api.conf',
  ...glanceConf,
  defaults: () => ({
    DEFAULT: {
      policy_file: 'glance_policy.json',
      // Today's `openstack image create` and `image set` speak no other version.
      complete_v2_api: true,
    },
  }),
  decided: ({ layout, ports, hostIp }) => ({
    DEFAULT: {
      bind_host: hostIp,
      bind_port: ports.image,
      sql_connection: `sqlite:///${layout.db('glance')}`,
      registry_client_protocol: 'local',
      filesystem_store_datadir: `${layout.images}/images`,
      scrubber_datadir: `${layout.images}/scrubber`,
    },
  }),
};

const nova: ServiceConf = {
  name: 'nova',
  file: 'nova.conf',
  ...novaConf,
  defaults: ({ ports, hostIp, compute }) => ({
    DEFAULT: {
      policy_file: 'nova_policy.json',
      // Folsom's table stops the tenth POST within a minute: a script of twelve calls.
      api_rate_limit: false,
      // Sparse files: no volume group has to be there.
      volume_driver: 'file',
      // There is no other host.
      allow_resize_to_same_host: true,
      // Guests read their key from the metadata service; written into disks, every guest would need a whole copy.
      libvirt_inject_key: false,
      // Images of today have no other card's driver, and emulated ones cost the host much more.
      libvirt_use_virtio_for_bridges: true,
      force_dhcp_release: true,
      // After a restart of the machine `npm start` brings everything back.
      resume_guests_state_on_host_boot: true,
      libvirt_type: compute.why.startsWith('KVM') ? 'kvm' : 'qemu',
      // Floating addresses stand where guests and this machine reach them.
      public_interface: BRIDGE,
      novncproxy_base_url: `http://${hostIp}:${ports.novncproxy}/vnc_auto.html`,
      xvpvncproxy_base_url: `http://${hostIp}:${ports.xvpvncproxy}/console`,
      vncserver_listen: '127.0.0.1',
      vncserver_proxyclient_address: '127.0.0.1',
    },
  }),
  decided: ({ layout, ports, hostIp, compute, fixedRange, secrets }) => {
    const real = compute.driver === 'libvirt';
    return {
      DEFAULT: {
        sql_connection: `sqlite:///${layout.db('nova')}`,
        // The bus lives inside the running process: commands beside it cannot send.
        fake_rabbit: true,
        host: NODE,
        my_ip: hostIp,
        auth_strategy: 'keystone',
        state_path: layout.nova,
        instances_path: layout.instances,
        networks_path: layout.networks,
        lock_path: `${layout.nova}/lock`,
        ec2_listen: hostIp,
        ec2_listen_port: ports.ec2,
        ec2_port: ports.ec2,
        s3_listen: LOOPBACK,
        s3_listen_port: ports.objectstore,
        s3_host: LOOPBACK,
        s3_port: ports.objectstore,
        // nova-api reads bundles for the tenant that registers an image, with a key that only this cloud has.
        s3_access_key: 'nova',
        s3_secret_key: createHmac('sha256', secrets.adminToken).update('bundles').digest('hex'),
        s3_affix_tenant: true,
        osapi_compute_listen: hostIp,
        osapi_compute_listen_port: ports.compute,
        osapi_volume_listen: hostIp,
        osapi_volume_listen_port: ports.volume,
        metadata_listen: real ? '0.0.0.0' : hostIp,
        metadata_listen_port: ports.metadata,
        metadata_port: ports.metadata,
        glance_api_servers: `${hostIp}:${ports.image}`,
        compute_driver: real ? 'libvirt.LibvirtDriver' : 'fake.FakeDriver',
        ...(real ? { firewall_driver: 'nova.virt.libvirt.firewall.IptablesFirewallDriver' } : {}),
        network_manager: 'nova.network.manager.FlatDHCPManager',
        fake_network: !real,
        flat_network_bridge: BRIDGE,
        fixed_range: fixedRange,
        novncproxy_host: hostIp,
        novncproxy_port: ports.novncproxy,
        xvpvncproxy_host: hostIp,
        xvpvncproxy_port: ports.xvpvncproxy,
      },
    };
  },
};

export const SERVICE_CONFS: readonly ServiceConf[] = [keystone, glance, nova];

export const serviceConf = (name: ServiceName): ServiceConf =>
  SERVICE_CONFS.find(conf => conf.name === name) as ServiceConf;

export const confPath = (layout: Pick<Layout, 'etc'>, conf: ServiceConf): string =>
  join(layout.etc, conf.file);

const head = (
  conf: ServiceConf,
): string => `# ${conf.file} of this cloud. It was made at the first start and is yours: no start changes it.
# What a start decides itself (addresses, ports, keys, paths) stands in folsom.d/${conf.file} and ranks above this file;
# what suits a cloud of one machine stands in folsom.d/defaults-${conf.file} and ranks below.
# "folsom config list ${conf.name}" prints every option, its value and where it comes from. Changes count at the next start.

[DEFAULT]
`;

/** The file as versions before wrote it anew at each start; nothing in it can be an operator's. */
const WRITTEN_BEFORE = /^\[(DEFAULT|sql)\]\n(sql_connection|connection) = sqlite:\/\/\//;

/** Makes the operator's files where there are none, and writes those of this start beside them. */
export async function writeServiceConfs(options: Decided): Promise<void> {
  for (const conf of SERVICE_CONFS) {
    const path = confPath(options.layout, conf);
    const { defaults, decided } = companionsOf(path);
    await mkdir(dirname(decided), { recursive: true, mode: 0o700 });
    const present = await readFile(path, 'utf8').catch(() => undefined);
    if (present === undefined || WRITTEN_BEFORE.test(present)) await writeWhole(path, head(conf));
    await writeWhole(defaults, textOf(conf.defaults(options)));
    await writeWhole(decided, textOf(conf.decided(options)));
  }
}

/** @throws CannotStart when a setting is one that a start decides by its own options */
export function checkSettings(options: Decided, settings: readonly Setting[]): void {
  for (const { service, group, name } of settings) {
    if (serviceConf(service).decided(options)[group]?.[name] === undefined) continue;
    throw new CannotStart(`--set ${service}.${name}: "folsom up" decides it by its own options; see --help`);
  }
}

async function writeWhole(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text, { mode: 0o600 });
  await rename(`${path}.new`, path);
}

const textOf = (values: Values): string =>
  `# Written at each start; changes here are lost.\n${Object.entries(values)
    .map(([group, settings]) => {
      const lines = Object.entries(settings).map(([name, value]) => `${name} = ${String(value)}\n`);
      return `[${group}]\n${lines.join('')}`;
    })
    .join('\n')}`;

/**
 * The configuration a service runs with.
 * @throws CannotStart for a value that is wrong, naming file and line
 */
export function readServiceConf(
  layout: Pick<Layout, 'etc'>,
  name: ServiceName,
  settings: readonly Setting[] = [],
  log?: Logger,
): Config {
  const conf = serviceConf(name);
  const path = confPath(layout, conf);
  try {
    return loadConfig({
      program: name,
      declarations: conf.declarations,
      notHonoured: conf.notHonoured,
      argv: ['--config-file', path],
      settings: settings.filter(({ service }) => service === name),
      ...(log ? { log } : {}),
    });
  } catch (error) {
    throw error instanceof ConfigError ? new CannotStart(error.message) : error;
  }
}

/** One sentence for each line of the operator's files that a start decides otherwise. */
export function withoutEffect(layout: Pick<Layout, 'etc'>, name: ServiceName, config: Config): string[] {
  const conf = serviceConf(name);
  const path = confPath(layout, conf);
  const { decided } = companionsOf(path);
  const lost: string[] = [];
  for (const { group, options } of conf.declarations) {
    for (const option of Object.keys(options)) {
      const given = config.given(group, option);
      const last = given.at(-1);
      if (last?.origin.file !== decided) continue;
      for (const { text, origin } of given) {
        if (origin.file !== path || text === last.text) continue;
        lost.push(
          `${path}:${origin.line}: ${option} has no effect, "folsom up" decides it (see its options)`,
        );
      }
    }
  }
  return lost;
}
