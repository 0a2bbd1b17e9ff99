import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { SWIFT_FILES } from './swift-files.ts';

/** One package: what stands in it besides its programs. The programs' code is in `folsom-common` alone. */
export interface Package {
  name: string;
  summary: string;
  description: string;
  depends: readonly string[];
  recommends?: readonly string[];
  /** Programs of other packages' makers that have the same paths. */
  conflicts?: readonly string[];
  /** Names of programs; `*` stands for anything, and the first package that names one has it. */
  programs: readonly string[];
  /** Units of `deploy/systemd`. */
  units: readonly string[];
  /** Who its daemons run as; its home is /var/lib/NAME. */
  user?: { name: string; comment: string };
  /** Folders made at installation and at each start of the machine: path, mode, owner. */
  folders?: readonly [path: string, mode: string, owner: string][];
  /** Configuration files, which stay as the operator has left them. */
  conf: readonly ConfEntry[];
}

/** A file below /etc and what is in it: a sample of a project's options, a file of `deploy`, or a text. */
export type ConfEntry = { path: string } & (
  | {
      sample: 'keystone' | 'glance-api' | 'glance-registry' | 'nova';
      /** Set in the sample: section, option, value. */
      set: readonly [section: string, option: string, value: string][];
    }
  | { from: string; mode?: string }
  | { text: string; mode?: string }
);

const own = (name: string): [string, string, string][] => [
  [`/var/lib/${name}`, '0750', name],
  [`/var/log/${name}`, '0750', name],
];

const NOVA = 'folsom-nova-common';

/** Every package of `npm run package`. A program or unit that none of them has fails the test. */
export const PACKAGES: readonly Package[] = [
  {
    name: 'folsom-keystone',
    summary: 'identity service (keystone)',
    description: 'Users, tenants, roles, tokens and the catalog, with the API of keystone 2012.2.',
    depends: [],
    conflicts: ['keystone', 'python3-keystone'],
    programs: ['keystone-*'],
    units: ['keystone.service', 'openstack-keystone.service'],
    user: { name: 'keystone', comment: 'OpenStack identity' },
    folders: own('keystone'),
    conf: [
      {
        path: '/etc/keystone/keystone.conf',
        sample: 'keystone',
        set: [
          // None: keystone refuses the published default. The first users are made with one that the operator sets here.
          ['DEFAULT', 'admin_token', ''],
          ['DEFAULT', 'log_dir', '/var/log/keystone'],
          ['sql', 'connection', 'sqlite:////var/lib/keystone/keystone.sqlite'],
        ],
      },
    ],
  },
  {
    name: 'folsom-glance',
    summary: 'image service (glance)',
    description: 'Images and their bytes, with the APIs v1 and v2 and the registry of glance 2012.2.',
    depends: ['qemu-utils', 'util-linux'],
    conflicts: ['glance-common'],
    programs: ['glance-*'],
    units: [
      'glance-api.service',
      'glance-registry.service',
      'openstack-glance-api.service',
      'openstack-glance-registry.service',
    ],
    user: { name: 'glance', comment: 'OpenStack images' },
    folders: own('glance'),
    conf: [
      {
        path: '/etc/glance/glance-api.conf',
        sample: 'glance-api',
        set: [
          ['DEFAULT', 'log_file', '/var/log/glance/api.log'],
          ['DEFAULT', 'sql_connection', 'sqlite:////var/lib/glance/glance.sqlite'],
          ['DEFAULT', 'filesystem_store_datadir', '/var/lib/glance/images'],
          ['DEFAULT', 'scrubber_datadir', '/var/lib/glance/scrubber'],
          ['DEFAULT', 'image_cache_dir', '/var/lib/glance/image-cache'],
        ],
      },
      {
        path: '/etc/glance/glance-registry.conf',
        sample: 'glance-registry',
        set: [
          ['DEFAULT', 'log_file', '/var/log/glance/registry.log'],
          ['DEFAULT', 'sql_connection', 'sqlite:////var/lib/glance/glance.sqlite'],
        ],
      },
    ],
  },
  {
    name: NOVA,
    summary: "what the compute service's daemons share",
    description:
      "The user nova, nova.conf, the filters of nova-rootwrap and the right to use it, and nova's programs that are no daemons.",
    depends: ['iproute2'],
    // Daemons that are not root go through it.
    recommends: ['sudo'],
    conflicts: ['nova-common'],
    programs: [
      'nova-manage',
      'nova-all',
      'nova-rootwrap',
      'nova-clear-rabbit-queues',
      'nova-rpc-zmq-receiver',
      'nova-volume-usage-audit',
    ],
    units: ['nova.target', 'nova@.service'],
    user: { name: 'nova', comment: 'OpenStack compute' },
    folders: [
      ...own('nova'),
      ['/var/lib/nova/instances', '0755', 'nova'],
      ['/run/lock/nova', '0755', 'nova'],
    ],
    conf: [
      {
        path: '/etc/nova/nova.conf',
        sample: 'nova',
        set: [
          ['DEFAULT', 'logdir', '/var/log/nova'],
          ['DEFAULT', 'state_path', '/var/lib/nova'],
          ['DEFAULT', 'lock_path', '/run/lock/nova'],
          ['DEFAULT', 'sql_connection', 'sqlite:////var/lib/nova/nova.sqlite'],
          ['DEFAULT', 'rootwrap_config', '/etc/nova/rootwrap.conf'],
          ['DEFAULT', 'auth_strategy', 'keystone'],
          ['DEFAULT', 'compute_driver', 'libvirt.LibvirtDriver'],
          ['DEFAULT', 'libvirt_use_virtio_for_bridges', 'True'],
        ],
      },
      { path: '/etc/nova/rootwrap.conf', from: 'rootwrap/rootwrap.conf', mode: '0644' },
      {
        path: '/etc/nova/rootwrap.d/compute.filters',
        from: 'rootwrap/rootwrap.d/compute.filters',
        mode: '0644',
      },
      {
        path: '/etc/nova/rootwrap.d/network.filters',
        from: 'rootwrap/rootwrap.d/network.filters',
        mode: '0644',
      },
      {
        path: '/etc/sudoers.d/folsom-nova',
        mode: '0440',
        text: `# The daemons of nova that are not root run through nova-rootwrap what its filters allow, and nothing else.
Defaults:nova !requiretty
nova ALL = (root) NOPASSWD: /usr/bin/nova-rootwrap /etc/nova/rootwrap.conf *
`,
      },
    ],
  },
  {
    name: 'folsom-nova-compute',
    summary: 'compute agent (nova-compute)',
    description:
      "Runs a host's guests under libvirt and qemu. Guests go on running while it is stopped or upgraded.",
    depends: [
      NOVA,
      'libvirt-daemon-system',
      'libvirt-clients',
      'qemu-system-x86',
      'qemu-utils',
      'iptables',
      'ebtables',
      'iproute2',
      'util-linux',
    ],
    programs: ['nova-compute'],
    units: ['nova@compute.service', 'openstack-nova-compute.service'],
    conf: [],
  },
  {
    name: 'folsom-nova-network',
    summary: 'network service (nova-network)',
    description: 'Bridges, VLANs, addresses, DHCP and floating addresses of guests.',
    depends: [NOVA, 'dnsmasq-base', 'iptables', 'iproute2'],
    programs: ['nova-network', 'nova-dhcpbridge'],
    units: ['nova@network.service', 'openstack-nova-network.service'],
    conf: [],
  },
  {
    name: 'folsom-nova-volume',
    summary: 'volume service (nova-volume)',
    description: 'Volumes of guests: logical volumes over iSCSI, or files.',
    depends: [NOVA, 'qemu-utils'],
    recommends: ['lvm2', 'tgt'],
    programs: ['nova-volume'],
    units: ['openstack-nova-volume.service'],
    conf: [],
  },
  {
    name: 'folsom-nova-controller',
    summary: 'APIs, scheduler, consoles and certificates of compute',
    description:
      'nova-api, nova-scheduler, nova-consoleauth, the proxies of consoles, nova-cert and nova-objectstore.',
    depends: [NOVA, 'openssl'],
    programs: ['nova-*'],
    units: [
      'openstack-nova-api.service',
      'openstack-nova-cert.service',
      'openstack-nova-console.service',
      'openstack-nova-consoleauth.service',
      'openstack-nova-novncproxy.service',
      'openstack-nova-objectstore.service',
      'openstack-nova-scheduler.service',
      'openstack-nova-xvpvncproxy.service',
    ],
    conf: [],
  },
  {
    name: 'folsom-swift',
    summary: 'object storage (swift)',
    description: 'The proxy, account, container and object servers of swift 1.7.4, their daemons and tools.',
    depends: ['rsync'],
    recommends: ['xfsprogs'],
    conflicts: ['swift', 'swift-proxy', 'swift-account', 'swift-container', 'swift-object'],
    programs: ['swift-*'],
    units: [
      'swift.service',
      'openstack-swift-proxy.service',
      'openstack-swift-account.service',
      'openstack-swift-container.service',
      'openstack-swift-object.service',
      'openstack-swift-object-expirer.service',
    ],
    user: { name: 'swift', comment: 'OpenStack object storage' },
    folders: [
      ['/var/lib/swift', '0750', 'swift'],
      ['/run/swift', '0755', 'swift'],
      ['/var/cache/swift', '0755', 'swift'],
      ['/srv/node', '0755', 'swift'],
    ],
    conf: SWIFT_FILES,
  },
  {
    name: 'folsom',
    summary: 'a whole cloud in one process, and the web console',
    description:
      'The program folsom: `folsom up` makes a working cloud of this machine; folsom-console is the web console.',
    depends: ['dnsmasq-base', 'iptables', 'ebtables', 'iproute2', 'util-linux', 'qemu-utils', 'openssl'],
    recommends: ['libvirt-daemon-system', 'libvirt-clients', 'qemu-system-x86'],
    programs: ['folsom', 'folsom-console'],
    units: ['folsom.service'],
    folders: [['/var/lib/folsom', '0700', 'root']],
    conf: [],
  },
];

/** The code, Node and the programs that belong to no service. */
export const COMMON: Package = {
  name: 'folsom-common',
  summary: 'code of all services, with its own Node',
  description:
    'What every other package of Folsom runs, in /opt/folsom; also openstack-config and openstack-db.',
  depends: ['libc6', 'libstdc++6', 'ca-certificates', 'systemd'],
  conflicts: ['openstack-utils'],
  programs: ['openstack-config', 'openstack-db'],
  units: [],
  conf: [],
};

export const ALL_PACKAGES: readonly Package[] = [COMMON, ...PACKAGES];

/** The programs of every package by the package's name. The first package that names a program exactly has it, before patterns. */
export function programsOf(names: readonly string[]): Map<string, string[]> {
  const owned = new Map<string, string[]>(ALL_PACKAGES.map(({ name }) => [name, []]));
  const owner = (program: string) =>
    ALL_PACKAGES.find(({ programs }) => programs.includes(program)) ??
    ALL_PACKAGES.find(({ programs }) =>
      programs.some(pattern => pattern.endsWith('*') && program.startsWith(pattern.slice(0, -1))),
    );
  for (const program of names) owned.get(owner(program)?.name ?? '')?.push(program);
  return owned;
}

/** Every unit there is: files of `deploy/systemd`. */
export const allUnits = (): string[] =>
  readdirSync(fileURLToPath(new URL('../systemd', import.meta.url))).sort();
