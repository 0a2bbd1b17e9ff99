import type { HostService } from './facts.ts';
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
}

export interface Demand {
  memory_mb: number;
  vcpus: number;
  root_gb: number;
  ephemeral_gb: number;
}

/** Takes an instance's share off a host, so that the next choice sees it. */
export function consume(state: HostState, demand: Demand, now: number): void {
  state.freeRamMb -= demand.memory_mb;
  state.freeDiskMb -= (demand.root_gb + demand.ephemeral_gb) * 1024;
  state.vcpusUsed += demand.vcpus;
  state.updated = now;
}

export interface HostStates {
  /** All hosts with a nova-compute, in the order in which they were first seen. */
  load(): Promise<HostState[]>;
  /** Takes a broadcast of a daemon. */
  report(service: string, host: string, capabilities: Capabilities): void;
}

/** Keeps host states between requests: a placement counts until the host has reported again. */
export function hostStates(sources: Sources): HostStates {
  const capabilities = new Map<string, Map<string, Capabilities>>();
  let known = new Map<string, HostState>();

  const read = async (): Promise<HostState[]> => {
    const states = new Map<string, HostState>();
    for (const node of await sources.computeNodes()) {
      const { host } = node.service;
      const state: HostState = known.get(host) ?? {
        host,
        service: node.service,
        capabilities: {},
        totalRamMb: 0,
        freeRamMb: 0,
        totalDiskGb: 0,
        freeDiskMb: 0,
        diskMbUsed: 0,
        vcpusTotal: 0,
        vcpusUsed: 0,
        limits: {},
        updated: null,
      };
      state.service = node.service;
      state.capabilities = capabilities.get(host)?.get('compute') ?? {};
      if (state.updated === null || node.updated_at === null || state.updated <= node.updated_at) {
        state.totalRamMb = node.memory_mb;
        state.freeRamMb = node.free_ram_mb;
        state.totalDiskGb = node.local_gb;
        state.freeDiskMb = (node.disk_available_least ?? node.free_disk_gb) * 1024;
        state.diskMbUsed = node.local_gb_used * 1024;
        state.vcpusTotal = node.vcpus;
        state.vcpusUsed = node.vcpus_used;
        state.updated = node.updated_at;
      }
      states.set(host, state);
    }
    known = states;
    return [...states.values()];
  };

  return {
    load: coalesced(read),
    report(service, host, reported) {
      const services = capabilities.get(host) ?? new Map<string, Capabilities>();
      capabilities.set(host, services.set(service, reported));
    },
  };
}

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
