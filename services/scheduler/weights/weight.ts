import type { HostState } from '../host-state.ts';

/** A cost of placing on a host; the host of least weighted sum is taken. */
export interface CostFunction {
  /** Folsom's function name; its weight is the option `<name>_weight`. */
  name: string;
  cost(host: HostState): number;
}

export interface Weighted {
  cost: CostFunction;
  weight: number;
}

export interface WeighedHost {
  host: HostState;
  weight: number;
}

/** The host of least cost; the first of equals. */
export function cheapest(hosts: readonly HostState[], costs: readonly Weighted[]): WeighedHost | undefined {
  let best: WeighedHost | undefined;
  for (const host of hosts) {
    let weight = 0;
    for (const { cost, weight: factor } of costs) weight += factor * cost.cost(host);
    if (best === undefined || weight < best.weight) best = { host, weight };
  }
  return best;
}
