import type { CostFunction } from './weight.ts';

/** Free memory: with a weight above zero hosts are filled one after the other, below zero load is spread. */
export const fillFirst: CostFunction = {
  name: 'compute_fill_first_cost_fn',
  cost: host => host.freeRamMb,
};
