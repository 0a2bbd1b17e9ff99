import { Worker } from 'node:worker_threads';
import type { Clock, Logger, Timer } from '@folsom/core';
import { novaFault } from '@folsom/nova/faults';
import { computeFault } from '../../faults.ts';
import { QUESTIONS } from './questions.ts';

/** libvirt's error code for a domain it does not know. */
const NO_DOMAIN = 42;

/** Why a call failed, as the thread that made it knows. */
interface Failure {
  message: string;
  code: number;
  /** The connection is gone; with `unsent` the call was never made. */
  lost?: boolean;
  unsent?: boolean;
}

export class LibvirtError extends Error {
  override name = 'libvirtError';
  readonly code: number;
  readonly lost: boolean;
  readonly unsent: boolean;
  constructor({ message, code, lost = false, unsent = false }: Failure) {
    super(message);
    this.code = code;
    this.lost = lost;
    this.unsent = unsent;
  }
}

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

interface Pending {
  resolve(value: never): void;
  reject(error: Error): void;
  timer: Timer;
}
interface Thread {
  purpose: keyof typeof THREADS;
  worker: Worker;
  pending: Map<number, Pending>;
}

/** Calls that only ask take much less; creating under load and saving memory are what this is for. */
const CALL_MS = 180_000;
/** Disks and memory of a large guest over a slow network. */
const MIGRATION_MS = 4 * 3_600_000;

/** How long calls wait for a libvirtd that went away: its keeper starts it again within seconds. */
const AWAY_MS = 30_000;
const AWAY_POLL_MS = 500;

/** Threads at most; each is started when the others are busy. Questions never wait behind guests that are being started. */
const THREADS = { questions: 2, changes: 3 };

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
  const threads: Thread[] = [];
  let serial = 0;
  let closed = false;
  /** Since when nobody answers. */
  let away: number | undefined;

  const start = (purpose: Thread['purpose']): Thread => {
    const worker = new Worker(new URL('./worker.ts', import.meta.url), {
      workerData: { uri },
      resourceLimits: HEAP,
    });
    const thread: Thread = { purpose, worker, pending: new Map() };
    worker.unref();
    worker.on('message', ([id, error, result]: [number, Failure | null, never]) => {
      const pending = thread.pending.get(id);
      if (pending === undefined) return;
      thread.pending.delete(id);
      pending.timer.cancel();
      if (thread.pending.size === 0) worker.unref();
      if (error === null) pending.resolve(result);
      else pending.reject(new LibvirtError(error));
    });
    const gone = (error: Error) => {
      const at = threads.indexOf(thread);
      if (at >= 0) threads.splice(at, 1);
      for (const pending of thread.pending.values()) {
        pending.timer.cancel();
        pending.reject(new LibvirtError({ message: error.message, code: -1, lost: true }));
      }
      thread.pending.clear();
    };
    worker.on('error', error => {
      log.error('the libvirt thread failed', { error });
      gone(error as Error);
    });
    worker.on('exit', () => gone(new Error('the libvirt thread ended')));
    threads.push(thread);
    return thread;
  };

  const pick = (purpose: Thread['purpose']): Thread => {
    const mine = threads.filter(thread => thread.purpose === purpose);
    const idle = mine.find(thread => thread.pending.size === 0);
    if (idle !== undefined) return idle;
    if (mine.length < THREADS[purpose]) return start(purpose);
    return mine.reduce((best, thread) => (thread.pending.size < best.pending.size ? thread : best));
  };

  const send = <T>(limitMs: number, operation: string, values: unknown[]): Promise<T> => {
    const thread = pick(QUESTIONS.has(operation) ? 'questions' : 'changes');
    return new Promise<T>((resolve, reject) => {
      const id = ++serial;
      // A call that hangs cannot be ended; its whole thread is given up.
      const timer = clock.after(limitMs, () => {
        log.error('a call to libvirt hangs', { operation });
        void thread.worker.terminate();
      });
      thread.pending.set(id, { resolve, reject, timer });
      thread.worker.ref();
      thread.worker.postMessage([id, operation, values]);
    });
  };

  const callFor = async <T>(limitMs: number, operation: string, values: unknown[]): Promise<T> => {
    for (;;) {
      if (closed) throw computeFault('HypervisorUnavailable', { host });
      try {
        const answer = await send<T>(limitMs, operation, values);
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
      await Promise.all(threads.splice(0).map(thread => thread.worker.terminate()));
    },
  };
}
