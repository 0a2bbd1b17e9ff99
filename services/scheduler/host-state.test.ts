import { requestContext, silentLogger } from '@folsom/core';
import { type FakeClock, fakeClock } from '@folsom/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import type { NodeFacts } from './facts.ts';
import { chooseFilters } from './filters/catalogue.ts';
import type { Filter } from './filters/filter.ts';
import { type HostStates, hostStates } from './host-state.ts';
import { scheduleRequest } from './request.ts';
import { selectHosts } from './select-hosts.ts';
import type { Sources } from './sources.ts';
import { spec } from './test-requests.ts';
import { chooseCosts } from './weights/catalogue.ts';

let clock: FakeClock;
let nodes: NodeFacts[];
/** Ids that were asked for, `all` for every host. */
let reads: string[];
let states: HostStates;

const node = (id: number, host: string, ram: number): NodeFacts => ({
  id,
  service: {
    host,
    disabled: false,
    availability_zone: 'nova',
    created_at: clock.now(),
    updated_at: clock.now(),
  },
  vcpus: 4,
  vcpus_used: 0,
  memory_mb: ram,
  free_ram_mb: ram,
  local_gb: 100,
  local_gb_used: 0,
  free_disk_gb: 100,
  disk_available_least: null,
  updated_at: clock.now(),
});

beforeEach(() => {
  clock = fakeClock();
  nodes = [node(1, 'a', 4096), node(2, 'b', 2048)];
  reads = [];
  const sources = {
    computeNodes: async (ids?: readonly number[]) => {
      reads.push(ids === undefined ? 'all' : ids.join());
      return structuredClone(nodes.filter(({ id }) => ids === undefined || ids.includes(id)));
    },
  } as unknown as Sources;
  states = hostStates(sources, clock);
});

/** `more`: a filter after the usual ones. */
async function choose(count = 1, more: Filter[] = []): Promise<string[]> {
  await clock.advance(1);
  const selector = {
    hosts: states,
    filters: [
      ...chooseFilters(['nova.scheduler.filters.standard_filters'], ['RamFilter', 'ComputeFilter']),
      ...more,
    ],
    costs: chooseCosts(['nova.scheduler.least_cost.compute_fill_first_cost_fn'], {
      compute_fill_first_cost_fn_weight: -1,
    }),
    seam: {
      sources: {} as Sources,
      clock,
      log: silentLogger,
      attest: async () => new Map(),
      settings: {
        serviceDownTimeMs: 60_000,
        cpuAllocationRatio: 16,
        ramAllocationRatio: 1,
        diskAllocationRatio: 1,
        isolatedImages: [],
        isolatedHosts: [],
      },
    },
  };
  const request = scheduleRequest(
    requestContext({ userId: 'u', projectId: 'p', roles: [] }),
    spec(['i']),
    {},
  );
  return (await selectHosts(selector, request, count)).chosen.map(({ host }) => host.host);
}

describe('choices one after the other', () => {
  it('share a read of all hosts, and read the chosen again', async () => {
    for (let n = 0; n < 4; n++) await choose();
    expect(reads).toEqual(['all', '1', '1', '1']);
    await clock.advance(1_000);
    await choose();
    expect(reads.at(-1)).toBe('all');
  });

  it('do not take a host that was disabled, deleted or filled a moment ago', async () => {
    await choose();
    nodes[0] = { ...nodes[0]!, service: { ...nodes[0]!.service, disabled: true } };
    expect(await choose()).toEqual(['b']);
    nodes[0] = node(1, 'a', 4096);
    await clock.advance(1_000);
    expect(await choose()).toEqual(['a']);
    nodes = [nodes[1]!];
    expect(await choose()).toEqual(['b']);
    await clock.advance(1_000);
    nodes = [{ ...nodes[0]!, free_ram_mb: 0, updated_at: clock.now() + 1 }, node(3, 'c', 600)];
    expect(await choose()).toEqual(['c']);
  });

  it('find a host that has come a moment ago when the others do not suffice', async () => {
    expect(await choose(4 + 8)).toHaveLength(4 + 8);
    expect(await choose()).toEqual([]);
    nodes.push(node(3, 'c', 1024));
    expect(await choose()).toEqual(['c']);
  });

  it('that are made again have not taken anything twice', async () => {
    await choose();
    nodes[0] = { ...nodes[0]!, service: { ...nodes[0]!.service, disabled: true } };
    // Four fit on b, one was placed on a before.
    expect(await choose(4)).toEqual(['b', 'b', 'b', 'b']);
    nodes[0] = node(1, 'a', 4096);
    await clock.advance(1_000);
    expect(await choose(8)).toHaveLength(8);
    expect(await choose()).toEqual([]);
  });
});

describe('a choice among many hosts', () => {
  /** Hosts that were asked, in turn; only those of the list pass. */
  const asking = (asked: string[], passing: readonly string[]): Filter => ({
    name: 'Asking',
    module: 'asking',
    prepare: () => host => {
      asked.push(host.host);
      return passing.includes(host.host);
    },
  });
  const names = Array.from({ length: 40 }, (_, at) => `h${at}`);
  beforeEach(() => {
    // The most memory, and so the cheapest, is the last; two have the same.
    nodes = names.map((name, at) => node(at + 1, name, 1024 * Math.min(at + 1, 39)));
  });

  it('asks no more hosts than it takes to find one', async () => {
    const asked: string[] = [];
    expect(await choose(1, [asking(asked, names)])).toEqual(['h38']);
    expect(asked).toEqual(['h38']);
  });

  it('takes the cheapest that passes, however many cheaper ones do not', async () => {
    for (const last of [39, 37, 33, 30, 12, 0]) {
      const passing = names.slice(0, last + 1);
      const asked: string[] = [];
      const best = last === 39 ? 'h38' : `h${last}`;
      expect(await choose(1, [asking(asked, passing)])).toEqual([best]);
      // What was taken is given back by the next report.
      nodes = nodes.map(one => ({ ...one, updated_at: clock.now() + 1 }));
      await clock.advance(1_000);
    }
    expect(await choose(1, [asking([], [])])).toEqual([]);
  });
});
