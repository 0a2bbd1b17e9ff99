/** Whose a program is. */
export type Side = 'ours' | 'original';
export type Project = 'keystone' | 'glance' | 'nova' | 'swift';

/** Where something listens; each cloud has ports of its own. */
export const LISTENERS = [
  'identity',
  'identityAdmin',
  'registry',
  'image',
  'compute',
  'volume',
  'metadata',
  'account',
  'container',
  'object',
  'proxy',
] as const;
export type Listener = (typeof LISTENERS)[number];

/** A program of a cloud, in the place that it has there. */
export interface Place {
  name: string;
  /** As both sides call it. */
  program: string;
  project: Project;
  /** Where it listens; empty for those that are asked over the broker. */
  listens: readonly Listener[];
  /** The host whose row in `services` it writes. */
  host?: string;
}

/** Where everything of nova but its hypervisors is. */
export const CONTROL = 'control';
/** Hosts of guests. */
export const HOSTS = ['c1', 'c2'] as const;

const nova = (program: string, host: string = CONTROL, name = program): Place => ({
  ...{ name, program, project: 'nova', listens: [], host },
});
const swift = (name: string, listener: Listener): Place => ({
  ...{ name, program: `${name}-server`, project: 'swift', listens: [listener] },
});
/** Tells others later what they could not be told at once. */
const updater = (name: string): Place => ({
  ...{ name: `${name} updater`, program: `${name}-updater`, project: 'swift', listens: [] },
});

/** In the order in which a cloud is started. */
export const PLACES: readonly Place[] = [
  {
    ...{ name: 'keystone', program: 'keystone-all', project: 'keystone' },
    listens: ['identity', 'identityAdmin'],
  },
  { name: 'glance-registry', program: 'glance-registry', project: 'glance', listens: ['registry'] },
  { name: 'glance-api', program: 'glance-api', project: 'glance', listens: ['image'] },
  nova('nova-scheduler'),
  nova('nova-scheduler', 'control2', 'nova-scheduler 2'),
  nova('nova-network'),
  ...HOSTS.map(host => nova('nova-compute', host, `nova-compute ${host}`)),
  nova('nova-cert'),
  nova('nova-consoleauth'),
  nova('nova-volume'),
  { name: 'nova-api', program: 'nova-api', project: 'nova', listens: ['compute', 'volume', 'metadata'] },
  swift('swift-account', 'account'),
  swift('swift-container', 'container'),
  updater('swift-container'),
  swift('swift-object', 'object'),
  updater('swift-object'),
  swift('swift-proxy', 'proxy'),
];
