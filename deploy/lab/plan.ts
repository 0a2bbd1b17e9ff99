/** What runs on the hosts of a lab, and where. Addresses and devices are those of the installation guide of 2012. */

export const NETWORK = '172.16.200';
/** Where whoever asks the lab from outside of its hosts stands: the switch. */
export const SWITCH_ADDRESS = `${NETWORK}.1`;
const FIRST_ADDRESS = 6;
export const HOSTS_MAX = 40;
export const CONTROLLER = 'controller';
/** Swift's devices, on the last host. */
export const DEVICES = ['sdb1', 'sdc1', 'sdd1'] as const;
export const STATE = '/var/lib/folsom';
/** Guests' addresses, on a wire of their own between the hosts. */
export const FIXED_RANGE = '10.20.0.0/24';

/** How one sees that a service does its work. */
type Ready = { port: number; path: string } | 'log';

export interface Service {
  /** Words behind the program's name. */
  args: readonly string[];
  ready: Ready;
}

const api = (port: number): Service => ({ args: [], ready: { port, path: '/readyz' } });
const swift = (name: string, port: number): Service => ({
  args: [`/etc/swift/${name}-server.conf`],
  ready: { port, path: '/healthcheck' },
});
const daemon: Service = { args: [], ready: 'log' };

/** Our programs. */
export const SERVICES = {
  'keystone-all': api(5000),
  'glance-registry': api(9191),
  'glance-api': api(9292),
  'nova-api': api(8774),
  // All paths of its port are the guests'.
  'nova-api-metadata': daemon,
  'nova-scheduler': daemon,
  'nova-cert': daemon,
  'nova-consoleauth': daemon,
  'nova-novncproxy': api(6080),
  'nova-network': daemon,
  'nova-compute': daemon,
  'swift-proxy-server': swift('proxy', 8080),
  'swift-account-server': swift('account', 6002),
  'swift-container-server': swift('container', 6001),
  'swift-object-server': swift('object', 6000),
} as const satisfies Record<string, Service>;
export type ServiceName = keyof typeof SERVICES;

/** Programs of others that ours stand on. */
export const SERVERS = ['mariadb', 'rabbitmq', 'redis', 'memcached'] as const;
export type ServerName = (typeof SERVERS)[number];
export type ProcessName = ServiceName | ServerName;

export interface HostPlan {
  name: string;
  address: string;
  servers: readonly ServerName[];
  services: readonly ServiceName[];
}

const CONTROL: readonly ServiceName[] = [
  'keystone-all',
  'glance-registry',
  'glance-api',
  'nova-api',
  'nova-scheduler',
  'nova-cert',
  'nova-consoleauth',
  'nova-novncproxy',
  'swift-proxy-server',
];
/** What may run twice, and then does on the host behind the controller, too. */
const TWINS: readonly ServiceName[] = [
  'keystone-all',
  'glance-registry',
  'glance-api',
  'nova-api',
  'nova-scheduler',
  'swift-proxy-server',
];
const NETWORK_SERVICES: readonly ServiceName[] = ['nova-network', 'nova-api-metadata'];
const STORAGE: readonly ServiceName[] = [
  'swift-account-server',
  'swift-container-server',
  'swift-object-server',
];

export interface LabOptions {
  hosts: number;
  /** RabbitMQ nodes: one, or three that are a cluster. */
  brokers: 1 | 3;
  /** Whether what may run twice does. */
  twins: boolean;
  driver: 'libvirt' | 'fake';
}

/**
 * Who does what. The first host is the controller, the second the network's, the last has the objects; all but the
 * controller run guests, and where there is only one it does everything.
 */
export function planHosts({ hosts, brokers, twins }: Omit<LabOptions, 'driver'>): HostPlan[] {
  return Array.from({ length: hosts }, (_, at) => {
    const services: ServiceName[] = [];
    if (at === 0) services.push(...CONTROL);
    if (twins && at === 1) services.push(...TWINS);
    if (at === Math.min(1, hosts - 1)) services.push(...NETWORK_SERVICES);
    if (at === hosts - 1) services.push(...STORAGE);
    if (at > 0 || hosts === 1) services.push('nova-compute');
    const servers: ServerName[] = at === 0 ? [...SERVERS] : at < brokers ? ['rabbitmq'] : [];
    return {
      name: at === 0 ? CONTROLLER : `node${at}`,
      address: `${NETWORK}.${FIRST_ADDRESS + at}`,
      servers,
      services,
    };
  });
}

/** Which services start together; each group stands on those before it. */
export const START_ORDER: readonly (readonly ServiceName[])[] = [
  ['keystone-all'],
  [...STORAGE, 'glance-registry'],
  ['swift-proxy-server', 'glance-api'],
  [
    'nova-scheduler',
    'nova-consoleauth',
    'nova-cert',
    'nova-network',
    'nova-api',
    'nova-api-metadata',
    'nova-novncproxy',
  ],
  ['nova-compute'],
];
