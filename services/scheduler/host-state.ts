import type { Clock } from '@folsom/core';
import type { HostService, NodeFacts } from './facts.ts';
import type { Sources } from './sources.ts';

export type Capabilities = Readonly<Record<string, unknown>>;

/** What the scheduler believes of a host: its last report, less what was placed on it since. */
export interface HostState {
  readonly host: string;
  service: HostService;
  /** What nova-compute last broadcast about its hypervisor. */
  capabilities: Capabilities;
  totalRamMb: number;
  /** May be negative. */
  freeRamMb: number;
  totalDiskGb: number;
  freeDiskMb: number;
  diskMbUsed: number;
  vcpusTotal: number;
  vcpusUsed: number;
  /** How much the chosen host may promise in all; set by the filters. */
  limits: Record<string, number>;
  /** When a report or a placement last changed these, in ms. */
  updated: number | null;
  /** Grows when a report takes the place of what is believed here. */
  reports: number;
}

export interface Demand {
  memory_mb: number;
  vcpus: number;
  root_gb: number;
  ephemeral_gb: number;
}

/** Takes an instance's share off a host, so that the next choice sees it. Returns what gives the share back. */
export function consume(state: HostState, demand: Demand, now: number): () => void {
  const diskMb = (demand.root_gb + demand.ephemeral_gb) * 1024;
  const { updated, reports } = state;
  state.freeRamMb -= demand.memory_mb;
  state.freeDiskMb -= diskMb;
  state.vcpusUsed += demand.vcpus;
  state.updated = now;
  return () => {
    // A report since then knows nothing of this share.
    if (state.reports !== reports) return;
    state.freeRamMb += demand.memory_mb;
    state.freeDiskMb += diskMb;
    state.vcpusUsed -= demand.vcpus;
    if (state.updated === now) state.updated = updated;
  };
}

export interface HostStates {
  /**
   * All hosts with a nova-compute, in the order in which they were first seen: as they are now, or as they were a moment ago. What is
   * chosen from a moment ago is confirmed before it counts.
   */
  load(how: 'now' | 'lately'): Promise<LoadedHosts>;
  /** Reads these hosts again. False: one is gone, or is not what the choice went by. */
  confirm(hosts: readonly HostState[]): Promise<boolean>;
  /** Takes a broadcast of a daemon. */
  report(service: string, host: string, capabilities: Capabilities): void;
}

export interface LoadedHosts {
  hosts: readonly HostState[];
  /** Read for this call. */
  fresh: boolean;
}

/** How long a read of all hosts serves choices that are confirmed: far less than the time between two reports of a host. */
const LATELY_MS = 1_000;

/** Keeps host states between requests: a placement counts until the host has reported again. */
export function hostStates(sources: Sources, clock: Clock): HostStates {
  const capabilities = new Map<string, Map<string, Capabilities>>();
  const capabilitiesOf = (host: string): Capabilities => capabilities.get(host)?.get('compute') ?? {};
  let known = new Map<string, HostState>();
  let lately: { hosts: HostState[]; readAt: number } | undefined;
  /** The row a state was last read from. */
  const facts = new WeakMap<HostState, NodeFacts>();

  const take = (state: HostState, node: NodeFacts): void => {
    facts.set(state, node);
    state.service = node.service;
    if (state.updated !== null && node.updated_at !== null && state.updated > node.updated_at) return;
    state.totalRamMb = node.memory_mb;
    state.freeRamMb = node.free_ram_mb;
    state.totalDiskGb = node.local_gb;
    state.freeDiskMb = (node.disk_available_least ?? node.free_disk_gb) * 1024;
    state.diskMbUsed = node.local_gb_used * 1024;
    state.vcpusTotal = node.vcpus;
    state.vcpusUsed = node.vcpus_used;
    state.updated = node.updated_at;
    state.reports++;
  };

  const read = async (): Promise<HostState[]> => {
    const readAt = clock.monotonic();
    const states = new Map<string, HostState>();
    for (const node of await sources.computeNodes()) {
      const { host } = node.service;
      const state = known.get(host) ?? newState(node.service, capabilitiesOf(host));
      take(state, node);
      states.set(host, state);
    }
    known = states;
    lately = { hosts: [...states.values()], readAt };
    return lately.hosts;
  };
  const readNow = coalesced(read);

  return {
    async load(how) {
      if (how === 'lately' && lately !== undefined && clock.monotonic() - lately.readAt < LATELY_MS)
        return { hosts: lately.hosts, fresh: false };
      return { hosts: await readNow(), fresh: true };
    },
    async confirm(states) {
      const before = new Map<number, NodeFacts>();
      for (const state of states) {
        const node = facts.get(state);
        if (node !== undefined) before.set(node.id, node);
      }
      const now = new Map((await sources.computeNodes([...before.keys()])).map(node => [node.id, node]));
      return [...before].every(([id, was]) => {
        const is = now.get(id);
        return is !== undefined && sameFacts(was, is);
      });
    },
    report(service, host, reported) {
      const services = capabilities.get(host) ?? new Map<string, Capabilities>();
      capabilities.set(host, services.set(service, reported));
      const state = known.get(host);
      if (state !== undefined) state.capabilities = capabilitiesOf(host);
    },
  };
}

const newState = (service: HostService, capabilities: Capabilities): HostState => ({
  host: service.host,
  service,
  capabilities,
  totalRamMb: 0,
  freeRamMb: 0,
  totalDiskGb: 0,
  freeDiskMb: 0,
  diskMbUsed: 0,
  vcpusTotal: 0,
  vcpusUsed: 0,
  limits: {},
  updated: null,
  reports: 0,
});

/** Whether two reads of a host say the same. That it went on reporting makes no difference; a later report of its load does. */
const sameFacts = (a: NodeFacts, b: NodeFacts): boolean =>
  a.updated_at === b.updated_at &&
  a.service.disabled === b.service.disabled &&
  a.service.availability_zone === b.service.availability_zone &&
  a.vcpus === b.vcpus &&
  a.vcpus_used === b.vcpus_used &&
  a.memory_mb === b.memory_mb &&
  a.free_ram_mb === b.free_ram_mb &&
  a.local_gb === b.local_gb &&
  a.local_gb_used === b.local_gb_used &&
  a.free_disk_gb === b.free_disk_gb &&
  a.disk_available_least === b.disk_available_least;

/**
 * Requests that come while a read is under way share the next one: never more than two reads at a time, and none that
 * began before its request came.
 */
function coalesced<T>(read: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined;
  let next: Promise<T> | undefined;
  const begin = (): Promise<T> => {
    running = read().finally(() => {
      running = undefined;
    });
    return running;
  };
  return () => {
    if (running === undefined) return begin();
    next ??= running
      .catch(() => {})
      .then(() => {
        next = undefined;
        return begin();
      });
    return next;
  };
}
