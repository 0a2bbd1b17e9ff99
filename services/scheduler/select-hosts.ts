import { metricsOf, type World } from '@folsom/core';
import type { Filter, FilterSeam, HostTest } from './filters/filter.ts';
import { consume, type HostState, type HostStates } from './host-state.ts';
import { schedulerMetrics } from './metrics.ts';
import { countRemoved, newTally, type Tally } from './no-valid-host.ts';
import type { ScheduleRequest } from './request.ts';
import { cheapest, type WeighedHost, type Weighted } from './weights/weight.ts';

export interface Selector {
  hosts: HostStates;
  filters: readonly Filter[];
  costs: readonly Weighted[];
  metrics?: World['metrics'];
  seam: FilterSeam;
}

export interface Selection {
  /** At most as many as asked for, best first. */
  chosen: (WeighedHost & { limits: Record<string, number> })[];
  tally: Tally;
}

/**
 * Chooses hosts for `count` equal instances. What is chosen is taken off the host at once, and everything after the
 * questions to the database happens in one turn, so requests side by side see each other's choices.
 */
export async function selectHosts(
  selector: Selector,
  request: ScheduleRequest,
  count: number,
): Promise<Selection> {
  const { seam } = selector;
  const began = seam.clock.monotonic();
  const all = await selector.hosts.load();
  const steps = await prepareSteps(selector, request, all);
  const tally = newTally(all.length);
  const chosen: Selection['chosen'] = [];
  let candidates: readonly HostState[] = all;
  for (let n = 0; n < count; n++) {
    for (const [name, test] of steps) {
      const passed = candidates.filter(test);
      countRemoved(tally, name, candidates.length - passed.length);
      candidates = passed;
    }
    const best = cheapest(candidates, selector.costs);
    if (best === undefined) break;
    chosen.push({ ...best, limits: { ...best.host.limits } });
    consume(best.host, request.spec.instance_properties, seam.clock.now());
  }
  chosen.sort((a, b) => a.weight - b.weight);
  countDecision(selector, tally, chosen.length === count, seam.clock.monotonic() - began);
  return { chosen, tally };
}

function countDecision(selector: Selector, tally: Tally, placed: boolean, ms: number): void {
  const metrics = metricsOf(selector);
  metrics.observe(schedulerMetrics.decisions, [placed ? 'placed' : 'refused'], ms / 1000);
  let last = '(no hosts)';
  for (const [filter, hosts] of tally.removed) {
    if (hosts === 0) continue;
    metrics.add(schedulerMetrics.removed, [filter], hosts);
    last = filter;
  }
  if (!placed) metrics.add(schedulerMetrics.refused, [last]);
}

/** Asks the filters that go by the image about one host; what they removed when it may not run the image. */
export async function checkHost(
  selector: Selector,
  request: ScheduleRequest,
  host: string,
): Promise<Tally | undefined> {
  const [state] = (await selector.hosts.load()).filter(known => known.host === host);
  const tally = newTally(state ? 1 : 0);
  if (!state) return tally;
  for (const filter of selector.filters.filter(({ concernsImage }) => concernsImage)) {
    const test = await filter.prepare(request, selector.seam, [state]);
    const passes = test(state);
    countRemoved(tally, filter.name, passes ? 0 : 1);
    if (!passes) return tally;
  }
  return undefined;
}

async function prepareSteps(
  { filters, seam }: Selector,
  request: ScheduleRequest,
  hosts: readonly HostState[],
): Promise<[string, HostTest][]> {
  const steps: [string, HostTest][] = [];
  if (request.ignoreHosts.length > 0) {
    steps.push(['ignore_hosts', ({ host }) => !request.ignoreHosts.includes(host)]);
  }
  if (request.forceHosts.length > 0) {
    // An administrator who names the host gets it, whatever the filters say.
    steps.push(['force_hosts', ({ host }) => request.forceHosts.includes(host)]);
    return steps;
  }
  for (const filter of filters) steps.push([filter.name, await filter.prepare(request, seam, hosts)]);
  return steps;
}
