import { join } from 'node:path';

/** The bridge of the guests' network. */
export const BRIDGE = 'br100';

/** Standard ports of Folsom's services; `--ports-offset` is added to each. */
export const PORTS = {
  identityPublic: 5000,
  identityAdmin: 35357,
  image: 9292,
  imageRegistry: 9191,
  ec2: 8773,
  objectstore: 3333,
  compute: 8774,
  metadata: 8775,
  volume: 8776,
  novncproxy: 6080,
  xvpvncproxy: 6081,
  objectProxy: 8080,
  account: 6002,
  container: 6001,
  object: 6000,
  metrics: 9100,
  consoleWeb: 8090,
} as const;

export type PortName = keyof typeof PORTS;

/** The parts `folsom up --services` can choose from; without identity nobody could log in. */
export const PARTS = ['identity', 'image', 'object', 'compute', 'console'] as const;
export type PartName = (typeof PARTS)[number];

/** Which part listens on a port; what is missing belongs to all. */
export const PART_OF_PORT: Partial<Record<PortName, PartName>> = {
  image: 'image',
  imageRegistry: 'image',
  ec2: 'compute',
  objectstore: 'compute',
  compute: 'compute',
  metadata: 'compute',
  volume: 'compute',
  novncproxy: 'compute',
  xvpvncproxy: 'compute',
  objectProxy: 'object',
  account: 'object',
  container: 'object',
  object: 'object',
  consoleWeb: 'console',
};
/** Ports that answer without a login: whatever `--host-ip` says, only this machine reaches them. */
export const LOOPBACK_PORTS: readonly PortName[] = [
  'account',
  'container',
  'object',
  'metrics',
  'objectstore',
];
export const LOOPBACK = '127.0.0.1';

/** Where a port of the all-in-one cloud is opened. */
export const hostOfPort = (name: PortName, hostIp: string): string =>
  LOOPBACK_PORTS.includes(name) ? LOOPBACK : hostIp;

export type Ports = Record<PortName, number>;

/** @throws when the offset would push a port out of range */
export function portsWithOffset(offset: number): Ports {
  const out = {} as Ports;
  for (const [name, port] of Object.entries(PORTS) as [PortName, number][]) {
    const moved = port + offset;
    if (moved < 1 || moved > 65_535)
      throw new Error(`--ports-offset ${offset} moves port ${port} out of range`);
    out[name] = moved;
  }
  return out;
}

/** Everything `folsom up` writes lies below one folder. */
export interface Layout {
  dir: string;
  /** Names of everything in it. */
  entries: readonly string[];
  openrc: string;
  openrcDemo: string;
  /** Generated passwords and keys, mode 0600. */
  secrets: string;
  /** JSON lines of all services. */
  log: string;
  /** Configuration files for the management programs. */
  etc: string;
  /** What is running: pid, addresses, services. */
  running: string;
  /** What shaped this host, for a later purge. */
  settings: string;
  /** Which addresses the catalog was made for. */
  bootstrapped: string;
  db: (name: 'keystone' | 'glance' | 'nova') => string;
  keystone: string;
  images: string;
  nova: string;
  instances: string;
  networks: string;
  /** Of the volumes of this host, one file each. */
  volumes: string;
  objects: string;
  guestImage: string;
  /** Which guest image the image service has. */
  guestImageMarker: string;
}

export function layoutOf(dir: string): Layout {
  const names = new Set<string>();
  const at = (name: string, ...below: string[]) => {
    names.add(name);
    return join(dir, name, ...below);
  };
  const paths = {
    openrc: at('openrc'),
    openrcDemo: at('openrc-demo'),
    secrets: at('secrets.json'),
    log: at('log', 'folsom.log'),
    etc: at('etc'),
    running: at('running.json'),
    settings: at('settings.json'),
    bootstrapped: at('bootstrapped.json'),
    keystone: at('keystone'),
    images: at('glance'),
    nova: at('nova'),
    instances: at('nova', 'instances'),
    networks: at('nova', 'networks'),
    volumes: at('nova', 'volume-files'),
    objects: at('swift'),
    guestImage: at('guest-image'),
    guestImageMarker: at('guest-image.json'),
  };
  const databases = at('db');
  return { dir, ...paths, db: name => join(databases, `${name}.sqlite`), entries: [...names] };
}
