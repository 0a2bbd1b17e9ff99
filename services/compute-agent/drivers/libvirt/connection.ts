import { Worker } from 'node:worker_threads';
import type { Clock, Logger } from '@folsom/core';
import { novaFault } from '@folsom/nova/faults';
import { computeFault } from '../../faults.ts';
import { callThreads, LibvirtError } from './threads.ts';

/** libvirt's error code for a domain it does not know. */
const NO_DOMAIN = 42;

export interface NodeInfo {
  model: string;
  /** Kilobytes. */
  memory: number;
  cpus: number;
  mhz: number;
  nodes: number;
  sockets: number;
  cores: number;
  threads: number;
}

export interface DomainInfo {
  state: number;
  /** Kilobytes. */
  maxMem: number;
  memory: number;
  nrVirtCpu: number;
  /** Nanoseconds. */
  cpuTime: number;
}

/**
 * Calls into libvirt. A libvirtd that was restarted meanwhile is connected to anew; for one that is away calls wait as
 * long as a restart takes and are the Fault `HypervisorUnavailable` then.
 */
export interface LibvirtConnection {
  version(): Promise<number>;
  hostname(): Promise<string>;
  capabilities(): Promise<string>;
  nodeInfo(): Promise<NodeInfo>;
  freeMemory(): Promise<number>;
  list(): Promise<string[]>;
  info(name: string): Promise<DomainInfo>;
  xml(name: string): Promise<string>;
  define(xml: string): Promise<void>;
  /** Starts a domain; one that runs already is fine. */
  create(name: string): Promise<void>;
  /** Ends a domain at once; one that stands still is fine. */
  destroy(name: string): Promise<void>;
  undefine(name: string): Promise<void>;
  shutdown(name: string): Promise<void>;
  suspend(name: string): Promise<void>;
  resume(name: string): Promise<void>;
  managedSave(name: string): Promise<void>;
  /** Whether there is a process of it. */
  isActive(name: string): Promise<boolean>;
  description(name: string, scope: Scope | 'migratable'): Promise<string>;
  attach(name: string, xml: string, scope: Scope): Promise<void>;
  /** Of a running guest it only asks: the description tells when the device is gone. */
  detach(name: string, xml: string, scope: Scope): Promise<void>;
  defineSecret(xml: string, value: string): Promise<void>;
  /** One that is not there is fine. */
  undefineSecret(uuid: string): Promise<void>;
  blockStats(name: string, disk: string): Promise<Record<string, number>>;
  /** Of a card by its device on the host (`vnet0`), as its guest sees it. */
  cardStats(name: string, device: string): Promise<Record<string, number>>;
  defineFilter(xml: string): Promise<void>;
  /** Moves a running domain to another libvirt; resolves when it runs there. */
  migrate(name: string, to: MigrationTarget): Promise<void>;
  close(): Promise<void>;
}

/** A running guest, or what it is started from next. */
export type Scope = 'live' | 'config';

export interface MigrationTarget {
  /** The other libvirt. */
  uri: string;
  /** Where memory and disks are sent. */
  dataUri: string;
  flags: number;
  /** 0 for no limit. */
  megabytesASecond: number;
  /** Its description there, where that differs. */
  xml?: string;
  /** Of the disks, those that are sent along; absent: all, where any is. Only with `xml`. */
  disks?: string[];
}

/** Calls that only ask take much less; creating under load and saving memory are what this is for. */
const CALL_MS = 180_000;
/** Disks and memory of a large guest over a slow network. */
const MIGRATION_MS = 4 * 3_600_000;

/** How long calls wait for a libvirtd that went away: its keeper starts it again within seconds. */
const AWAY_MS = 30_000;
const AWAY_POLL_MS = 500;

/** A thread holds one answer at a time, and little of that. */
const HEAP = { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 256 };

export interface ConnectionOptions {
  uri: string;
  host: string;
  clock: Clock;
  log: Logger;
}

export function libvirtConnection(options: ConnectionOptions): LibvirtConnection {
  const { uri, host, clock, log } = options;
  const threads = callThreads({
    start: () =>
      new Worker(new URL('./worker.ts', import.meta.url), { workerData: { uri }, resourceLimits: HEAP }),
    clock,
    log,
  });
  let closed = false;
  /** Since when nobody answers. */
  let away: number | undefined;

  const callFor = async <T>(limitMs: number, operation: string, values: unknown[]): Promise<T> => {
    for (;;) {
      if (closed) throw computeFault('HypervisorUnavailable', { host });
      try {
        const answer = await threads.send<T>(limitMs, operation, values);
        if (away !== undefined) log.info('libvirt answers again');
        away = undefined;
        return answer;
      } catch (error) {
        if (!(await comesBack(error))) throw translated(error, operation, values[0]);
      }
    }
  };
  const call = <T>(operation: string, ...values: unknown[]): Promise<T> =>
    callFor(CALL_MS, operation, values);

  /** Waits a moment for a libvirtd that could not be reached; false when it has been away for too long. */
  const comesBack = async (error: unknown): Promise<boolean> => {
    if (!(error instanceof LibvirtError) || !error.unsent || closed) return false;
    if (away === undefined) log.warn('libvirt is away; waiting for it', { error: error.message });
    away ??= clock.monotonic();
    if (clock.monotonic() - away >= AWAY_MS) return false;
    await clock.sleep(AWAY_POLL_MS);
    return true;
  };

  const translated = (error: unknown, operation: string, name: unknown): unknown => {
    if (!(error instanceof LibvirtError)) return error;
    if (error.code === NO_DOMAIN) return novaFault('InstanceNotFound', { instance_id: name });
    if (error.lost) {
      log.warn('libvirt does not answer', { operation, error: error.message });
      return computeFault('HypervisorUnavailable', { host }, { cause: error });
    }
    return error;
  };

  return {
    version: () => call('version'),
    hostname: () => call('hostname'),
    capabilities: () => call('capabilities'),
    nodeInfo: () => call('nodeInfo'),
    freeMemory: () => call('freeMemory'),
    list: () => call('list'),
    info: name => call('info', name),
    xml: name => call('xml', name),
    define: xml => call('define', xml),
    create: name => call('create', name),
    destroy: name => call('destroy', name),
    undefine: name => call('undefine', name),
    shutdown: name => call('shutdown', name),
    suspend: name => call('suspend', name),
    resume: name => call('resume', name),
    managedSave: name => call('managedSave', name),
    isActive: name => call('isActive', name),
    description: (name, scope) => call('description', name, scope),
    attach: (name, xml, scope) => call('attach', name, xml, scope),
    detach: (name, xml, scope) => call('detach', name, xml, scope),
    defineSecret: (xml, value) => call('defineSecret', xml, value),
    undefineSecret: uuid => call('undefineSecret', uuid),
    blockStats: (name, disk) => call('blockStats', name, disk),
    cardStats: (name, device) => call('cardStats', name, device),
    defineFilter: xml => call('defineFilter', xml),
    migrate: (name, to) => callFor(MIGRATION_MS, 'migrate', [name, to]),
    close: async () => {
      closed = true;
      await threads.close();
    },
  };
}
