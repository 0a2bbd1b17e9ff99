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

const NONE: ReadonlySet<HostState> = new Set();

/** The host of least cost, of those that are not left out; the first of equals. */
export function cheapest(
  hosts: readonly HostState[],
  costs: readonly Weighted[],
  leftOut: ReadonlySet<HostState> = NONE,
): WeighedHost | undefined {
  let best: HostState | undefined;
  let least = 0;
  for (const host of hosts) {
    let weight = 0;
    for (const { cost, weight: factor } of costs) weight += factor * cost.cost(host);
    if ((best === undefined || weight < least) && !leftOut.has(host)) {
      best = host;
      least = weight;
    }
  }
  return best && { host: best, weight: least };
}
