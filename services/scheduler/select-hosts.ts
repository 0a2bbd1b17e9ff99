import { metricsOf, type World } from '@folsom/core';
import { everyHost, type Filter, type FilterSeam, type HostTest } from './filters/filter.ts';
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
 *
 * Hosts are read at most once a second: what is chosen from an earlier read is confirmed by reading the chosen alone. When one of them is
 * not as it was, or not enough were found, all are read and the choice is made again.
 */
export async function selectHosts(
  selector: Selector,
  request: ScheduleRequest,
  count: number,
): Promise<Selection> {
  const { seam, hosts } = selector;
  const began = seam.clock.monotonic();
  const choose = async (how: 'now' | 'lately') => {
    const { hosts: all, fresh } = await hosts.load(how);
    const steps = await prepareSteps(selector, request, all);
    return { fresh, ...chooseFrom(all, steps, selector, request, count) };
  };
  let choice = await choose('lately');
  if (!choice.fresh) {
    const enough = choice.chosen.length === count;
    let confirmed = false;
    try {
      confirmed = enough && (await hosts.confirm(choice.chosen.map(({ host }) => host)));
    } finally {
      if (!confirmed) choice.giveBack();
    }
    if (!confirmed) choice = await choose('now');
  }
  const { chosen, tally } = choice;
  chosen.sort((a, b) => a.weight - b.weight);
  countDecision(selector, tally, chosen.length === count, seam.clock.monotonic() - began);
  return { chosen, tally };
}

/** Hosts that are asked one by one before all are. */
const ASKED_FIRST = 8;

/**
 * The cheapest of the hosts that pass, where one of the cheapest few does: what is true of all others is nobody's question as long as
 * there is a host. Undefined: all have to be asked.
 */
function cheapestThatPasses(
  all: readonly HostState[],
  passes: (host: HostState) => boolean,
  costs: readonly Weighted[],
): WeighedHost | undefined {
  const refused = new Set<HostState>();
  while (refused.size < ASKED_FIRST) {
    const best = cheapest(all, costs, refused);
    if (best === undefined || passes(best.host)) return best;
    refused.add(best.host);
  }
  return undefined;
}

/**
 * Takes the cheapest of the hosts that pass. For several instances, and where the cheapest few do not pass, all hosts are filtered once;
 * after a placement only its own host has changed and is asked again.
 */
function chooseFrom(
  all: readonly HostState[],
  steps: readonly [string, HostTest][],
  { costs, seam }: Selector,
  request: ScheduleRequest,
  count: number,
): Selection & { giveBack(): void } {
  const tally = newTally(all.length);
  const asked = steps
    .filter(([, test]) => test !== everyHost)
    .map(([name, test]) => ({ name, test, removed: 0 }));
  const passes = (host: HostState): boolean => {
    for (const step of asked) {
      if (step.test(host)) continue;
      step.removed++;
      return false;
    }
    return true;
  };
  const chosen: Selection['chosen'] = [];
  const undo: (() => void)[] = [];
  const place = (best: WeighedHost): void => {
    chosen.push({ ...best, limits: { ...best.host.limits } });
    undo.push(consume(best.host, request.spec.instance_properties, seam.clock.now()));
  };
  const first = count === 1 ? cheapestThatPasses(all, passes, costs) : undefined;
  if (first !== undefined) place(first);
  else {
    for (const step of asked) step.removed = 0;
    let candidates = all.filter(passes);
    for (let n = 0; n < count; n++) {
      const best = cheapest(candidates, costs);
      if (best === undefined) break;
      place(best);
      if (n + 1 < count && !passes(best.host)) candidates = candidates.filter(host => host !== best.host);
    }
  }
  for (const [name] of steps) countRemoved(tally, name, 0);
  for (const { name, removed } of asked) countRemoved(tally, name, removed);
  const giveBack = () => {
    for (const back of undo.reverse()) back();
  };
  return { chosen, tally, giveBack };
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
  const { hosts } = await selector.hosts.load('now');
  const state = hosts.find(known => known.host === host);
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
