import { schedulerFault } from '../faults.ts';
import { fillFirst } from './fill-first.ts';
import { noop } from './noop.ts';
import type { CostFunction, Weighted } from './weight.ts';

const COST_FUNCTIONS: readonly CostFunction[] = [fillFirst, noop];
const PACKAGE = 'nova.scheduler.least_cost';

/**
 * least_cost_functions with their weights. Those of other topics than compute are passed over, as in Folsom.
 *
 * @throws Fault `SchedulerCostFunctionNotFound`
 */
export function chooseCosts(paths: readonly string[], weights: Readonly<Record<string, number>>): Weighted[] {
  const chosen: Weighted[] = [];
  for (const path of paths) {
    const name = path.split('.').at(-1) ?? '';
    if (!name.startsWith('compute_') && !name.startsWith('noop')) continue;
    const cost = COST_FUNCTIONS.find(known => path === `${PACKAGE}.${known.name}`);
    if (cost === undefined) throw schedulerFault('SchedulerCostFunctionNotFound', { cost_fn_str: path });
    chosen.push({ cost, weight: weights[`${name}_weight`] ?? 1 });
  }
  return chosen;
}
