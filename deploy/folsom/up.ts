import { writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import {
  createLogger,
  type LogLevel,
  type ModuleLevels,
  systemClock,
  systemRandom,
  type World,
} from '@folsom/core';
import { watchMemory } from '@folsom/host/memory';
import { createMetrics, serveMetrics } from '@folsom/http';
import { containsCidr } from '@folsom/nova/ipv4';
import { watchDisks } from '../disk-metrics.ts';
import { openLogFile } from '../log-file.ts';
import { type Cloud, startCloud } from './cloud.ts';
import type { Print } from './commands.ts';
import { allowPingAndSsh } from './default-group.ts';
import {
  DEFAULT_FLOATING_RANGE,
  floatingClash,
  NO_FLOATING_RANGE,
  parseFloatingRange,
} from './floating-range.ts';
import { networkNamespace, takeHost } from './host-owner.ts';
import { checkFixedRange, parseFixedRange } from './host-routes.ts';
import {
  BRIDGE,
  hostOfPort,
  type Layout,
  layoutOf,
  PART_OF_PORT,
  type PartName,
  type PortName,
  type Ports,
  portsWithOffset,
} from './layout.ts';
import { clearLeftovers, leftoverDhcpServers } from './leftovers.ts';
import { writeOpenrc } from './openrc.ts';
import type { Setting, Tell } from './part.ts';
import { CannotStart, checkHostAddress, checkPorts, explainFileError, prepareStateDir } from './preflight.ts';
import { type ComputeDriver, hasProgram, type Provisioned, provision } from './provision.ts';
import { forgetRunning, readRunning, writeRunning } from './running.ts';
import { loadSecrets, type Secrets } from './secrets.ts';
import { type PurgeSettings, readSettings } from './settings.ts';
import { type StateWatch, watchState } from './state-watch.ts';

export interface UpOptions {
  stateDir: string;
  hostIp: string;
  portsOffset: number;
  /** Default: what it was at the last start, else 10.0.0.0/24. */
  fixedRange?: string;
  /** Pool of floating addresses, or `none`; counts at the first start. */
  floatingRange?: string;
  /** Lets ping and ssh into the default group of the tenants admin and demo. */
  allowPingAndSsh: boolean;
  settings: readonly Setting[];
  services: readonly PartName[];
  computeDriver: 'auto' | ComputeDriver;
  swiftDevices: number;
  swiftReplicas: number;
  metrics: boolean;
  /** Collector of spans; default: none are made. */
  otlpEndpoint?: string;
  logLevel: { level: LogLevel; modules: ModuleLevels };
  passwords: Partial<Secrets>;
}

const DEFAULT_FIXED_RANGE = '10.0.0.0/24';

/** Anything longer than this is told to the person waiting. */
const TELL_AFTER_MS = 1_000;

/** Brings the cloud up, stays until a signal, stops it. Resolves to the exit code. */
export async function up(options: UpOptions, print: Print): Promise<number> {
  const layout = layoutOf(options.stateDir);
  try {
    const cloud = await start(options, layout, print);
    return await stayUp(cloud, layout, print);
  } catch (error) {
    const explained = explainFileError(error, layout.dir);
    process.stderr.write(`folsom: ${explained.message}\n`);
    if (!(explained instanceof CannotStart)) process.stderr.write(`details are in ${layout.log}\n`);
    return 1;
  }
}

interface Up {
  cloud: Cloud;
  state: StateWatch;
  stopMetrics: () => Promise<void>;
  closeLog: () => void;
}

async function start(options: UpOptions, layout: Layout, print: Print): Promise<Up> {
  const ports = await checkedPorts(options, layout);
  await prepareStateDir(layout.dir, [
    layout.dir,
    dirname(layout.log),
    dirname(layout.db('nova')),
    layout.keystone,
    layout.images,
    layout.nova,
    layout.objects,
  ]);
  const logFile = openLogFile(layout.log);
  const { world, metrics, exporter } = await watchedWorld(options, layout, logFile.write);
  const secrets = await loadSecrets(layout.secrets, world.random, options.passwords);
  const { fixedRange, floatingRange, compute } = await decide(options, layout, print);
  let cloud: Cloud;
  try {
    cloud = await startCloud({
      layout,
      ports,
      secrets,
      world,
      metrics,
      compute,
      hostIp: options.hostIp,
      fixedRange,
      floatingRange,
      settings: options.settings,
      parts: options.services,
      swift: { devices: options.swiftDevices, replicas: options.swiftReplicas },
      tell: teller(print),
      print,
    });
  } catch (error) {
    world.log.error('start failed', { error });
    logFile.close();
    throw error;
  }
  // Before anybody is told that the cloud is ready: what is acknowledged from then on must stay.
  const state = await watchState(layout, world.clock);
  const metricsServer = options.metrics
    ? await serveMetrics(metrics, {
        host: hostOfPort('metrics', options.hostIp),
        port: ports.metrics,
      })
    : undefined;
  await letIn(options, layout, ports, secrets);
  await writeRunning(layout, {
    since: new Date(world.clock.now()).toISOString(),
    hostIp: options.hostIp,
    hypervisor: `${compute.driver}: ${compute.why}`,
    services: cloud.services.map(({ name, addresses }) => ({ name, addresses })),
  });
  summary(cloud, options, layout, compute, print);
  // Counted from the start of the process, loading the program included.
  print(`ready in ${(performance.now() / 1000).toFixed(1)} s`);
  return {
    cloud,
    state,
    stopMetrics: async () => {
      await metricsServer?.stop();
      await exporter?.stop();
    },
    closeLog: logFile.close,
  };
}

/** The world that every service is handed: its log, where it counts, and where spans go. */
async function watchedWorld(options: UpOptions, layout: Layout, write: (line: string) => void) {
  const metrics = createMetrics();
  watchDisks(metrics, { state: layout.dir });
  // Loaded for those alone who want it.
  const exporter =
    options.otlpEndpoint === undefined
      ? undefined
      : await (await import('../tracing.ts')).startExporter(options.otlpEndpoint, 'folsom');
  const world: World = {
    metrics,
    ...(exporter ? { tracer: exporter.tracer } : {}),
    clock: systemClock,
    random: systemRandom,
    log: createLogger({ ...options.logLevel, write, metrics }),
  };
  return { world, metrics, exporter };
}

/** The ports of this start, all of them free. Looks at what was asked before anything is written. @throws CannotStart */
async function checkedPorts(options: UpOptions, layout: Layout): Promise<Ports> {
  const ports = portsWithOffset(options.portsOffset);
  checkHostAddress(options.hostIp);
  if (options.swiftReplicas > options.swiftDevices) {
    throw new CannotStart(
      `${options.swiftReplicas} replicas need as many devices; give --swift-devices, too`,
    );
  }
  const running = await readRunning(layout);
  if (running)
    throw new CannotStart(`this cloud is running already (process ${running.pid}); see "folsom status"`);
  const names = (Object.keys(ports) as PortName[]).filter(
    name =>
      (options.metrics || name !== 'metrics') && options.services.includes(PART_OF_PORT[name] ?? 'identity'),
  );
  await checkPorts(options.hostIp, ports, names);
  return ports;
}

/** The guests' network, the floating addresses and the hypervisor; noted for the next start and for `down --purge`. */
async function decide(options: UpOptions, layout: Layout, print: Print) {
  const before = await readSettings(layout);
  const fixedRange = options.fixedRange ?? before?.fixedRange ?? DEFAULT_FIXED_RANGE;
  if (before && fixedRange !== before.fixedRange) {
    throw new CannotStart(
      `the guests' network is ${before.fixedRange} since the first start; ` +
        'start another state directory for another one, or remove this cloud with "folsom down --purge"',
    );
  }
  parseFixedRange(fixedRange);
  const floatingRange = await floatingRangeOf(options, before, fixedRange, print);
  const compute: Provisioned = options.services.includes('compute')
    ? await provision(options.computeDriver, print)
    : { driver: 'fake', why: 'compute is not among --services' };
  if (compute.driver === 'libvirt') {
    await checkFixedRange(fixedRange, BRIDGE);
    await takeHostNetwork(layout, print);
  }
  const settings: PurgeSettings = {
    // Once real guests were possible, a later purge has to look for them.
    driver: before?.driver === 'libvirt' ? 'libvirt' : compute.driver,
    hostIp: options.hostIp,
    fixedRange,
    floatingRange,
    portsOffset: options.portsOffset,
    namespace: compute.driver === 'libvirt' ? await networkNamespace() : before?.namespace,
  };
  await writeFile(layout.settings, JSON.stringify(settings), { mode: 0o600 });
  return { fixedRange, floatingRange, compute };
}

/** Writes what a shell needs to log in and, where it is wanted, opens the default groups. */
async function letIn(options: UpOptions, layout: Layout, ports: Ports, secrets: Secrets): Promise<void> {
  const authUrl = `http://${options.hostIp}:${ports.identityPublic}/v2.0`;
  const users = [
    { file: layout.openrc, name: 'admin', password: secrets.adminPassword, admin: true },
    { file: layout.openrcDemo, name: 'demo', password: secrets.demoPassword, admin: false },
  ];
  for (const { file, name, password, admin } of users)
    await writeOpenrc(file, { user: name, password, tenant: name, authUrl, admin });
  if (options.allowPingAndSsh && options.services.includes('compute')) {
    await allowPingAndSsh({
      authUrl,
      computeUrl: `http://${options.hostIp}:${ports.compute}/v2`,
      users: users.map(({ name, password }) => ({ name, password })),
    });
  }
}

/** The pool of floating addresses: that of the first start, else what is asked for, else the default where it is free. */
async function floatingRangeOf(
  options: UpOptions,
  before: PurgeSettings | undefined,
  fixedRange: string,
  print: Print,
): Promise<string> {
  const asked = options.floatingRange;
  if (before?.floatingRange !== undefined) {
    if (asked !== undefined && asked !== before.floatingRange)
      throw new CannotStart(
        `the pool of floating addresses is ${before.floatingRange} since the first start; change it with nova-manage floating`,
      );
    return before.floatingRange;
  }
  const range = asked ?? DEFAULT_FLOATING_RANGE;
  if (range === NO_FLOATING_RANGE || !options.services.includes('compute')) return NO_FLOATING_RANGE;
  const [floating, fixed] = [parseFloatingRange(range), parseFixedRange(fixedRange)];
  const clash =
    containsCidr(fixed, floating) || containsCidr(floating, fixed)
      ? `the guests' network ${fixedRange}`
      : await floatingClash(range);
  if (clash === undefined) return range;
  if (asked !== undefined) throw new CannotStart(`--floating-range ${range} clashes with ${clash}`);
  print(`no floating addresses: ${range} clashes with ${clash}; give another --floating-range`);
  return NO_FLOATING_RANGE;
}

/** Becomes the owner of the host's network, and says what earlier clouds have left there. */
async function takeHostNetwork(layout: Layout, print: Print): Promise<void> {
  const former = await takeHost(layout);
  if (former !== undefined) print(`the network of this host was that of the stopped cloud in ${former}`);
  const leftovers = await leftoverDhcpServers(former);
  for (const { pid, hostsFile } of leftovers)
    print(`ending the DHCP server that another cloud has left (process ${pid}, ${hostsFile})`);
  await clearLeftovers(leftovers);
}

function summary(
  cloud: Cloud,
  options: UpOptions,
  layout: Layout,
  compute: { driver: ComputeDriver; why: string },
  print: Print,
): void {
  print('');
  print('Endpoints');
  for (const { name, url } of cloud.endpoints) print(`  ${name.padEnd(16)} ${url}`);
  if (options.services.includes('compute')) print(`Hypervisor: ${compute.driver} (${compute.why})`);
  if (options.services.includes('console')) {
    const address = cloud.services.find(({ name }) => name === 'console-web')?.addresses[0];
    print(`Web console: http://${address}/  (users and passwords as below)`);
  }
  print(`Credentials: ${layout.openrc} (admin), ${layout.openrcDemo} (demo)`);
  print('Try in another terminal:');
  print(`  . ${layout.openrc}`);
  for (const line of nextCommands(options.services)) print(`  ${line}`);
  if (!hasProgram('openstack')) print('The openstack command: apt-get install python3-openstackclient');
  if (options.hostIp.startsWith('127.'))
    print('Reachable from this machine only; --host-ip ADDRESS opens it to others.');
}

function nextCommands(services: readonly PartName[]): string[] {
  if (services.includes('compute')) {
    return [
      'openstack image list          # or: glance image-list',
      'openstack server create --image guest --flavor m1.tiny --wait first',
    ];
  }
  return [
    'openstack catalog list        # or: keystone catalog',
    services.includes('image')
      ? 'openstack image list          # or: glance image-list'
      : 'openstack user list',
  ];
}

/** Says what is being done once it has taken a second. */
function teller(print: Print): Tell {
  return async (what, work) => {
    const timer = setTimeout(() => print(`${what} ...`), TELL_AFTER_MS);
    try {
      return await work();
    } finally {
      clearTimeout(timer);
    }
  };
}

async function stayUp(
  { cloud, state, stopMetrics, closeLog }: Up,
  layout: Layout,
  print: Print,
): Promise<number> {
  const memory = watchMemory();
  const signal = new Promise<null>(resolve => {
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(name, () => resolve(null));
  });
  const gone = await Promise.race([signal, state.gone]);
  state.stop();
  if (gone !== null)
    process.stderr.write(
      `folsom: ${gone} was deleted or replaced under the running cloud: what is written now would be lost\n`,
    );
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => process.exit(130));
  print('stopping (guests go on running) ...');
  await stopMetrics();
  memory.stop();
  await cloud.stop();
  await forgetRunning(layout);
  closeLog();
  print('stopped');
  const code = gone === null ? 0 : 1;
  setImmediate(() => process.exit(code));
  return code;
}
