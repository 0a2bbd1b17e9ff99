import type { Clock, Logger } from '@folsom/core';
import type { HostState } from '../host-state.ts';
import type { ScheduleRequest } from '../request.ts';
import type { Sources } from '../sources.ts';

/** Whether a host may take an instance of the request. Asked again after each placement. */
export type HostTest = (host: HostState) => boolean;

export interface FilterSettings {
  serviceDownTimeMs: number;
  cpuAllocationRatio: number;
  ramAllocationRatio: number;
  diskAllocationRatio: number;
  isolatedImages: readonly string[];
  isolatedHosts: readonly string[];
}

export interface FilterSeam {
  settings: FilterSettings;
  sources: Sources;
  clock: Clock;
  log: Logger;
  /** Trust levels of hosts by an attestation service. */
  attest: (hosts: readonly string[]) => Promise<ReadonlyMap<string, string>>;
}

/** A filter looks at a request once, with at most one question to the database, and gives the test of hosts. */
export interface Filter {
  /** Folsom's class name, e.g. `RamFilter`; used in options and in fault texts. */
  name: string;
  /** Folsom's module below `nova.scheduler.filters`. */
  module: string;
  /** What it says depends on the image: it is asked again when an instance gets another one where it is. */
  concernsImage?: true;
  prepare(
    request: ScheduleRequest,
    seam: FilterSeam,
    hosts: readonly HostState[],
  ): HostTest | Promise<HostTest>;
}

export const everyHost: HostTest = () => true;
export const noHost: HostTest = () => false;

/** Longest list of instance ids a hint may hold. */
const HINT_UUIDS_MAX = 200;

/** A hint that is an id or a list of ids; undefined when it is absent or empty, null when it is of another shape. */
export function uuidsOfHint(hint: unknown): string[] | undefined | null {
  if (hint === undefined || hint === null || hint === '') return undefined;
  const list: unknown[] = Array.isArray(hint) ? hint : [hint];
  if (list.length === 0) return undefined;
  if (list.length > HINT_UUIDS_MAX || !list.every(item => typeof item === 'string' && item.length <= 64)) {
    return null;
  }
  return list as string[];
}
