import type { Filter } from './filter.ts';

/** One flavor for each host. */
export const typeAffinityFilter: Filter = {
  name: 'TypeAffinityFilter',
  module: 'type_filter',
  prepare: async ({ flavor }, { sources }) => {
    const others = await sources.hostsWithOtherFlavor(flavor.id);
    return ({ host }) => !others.has(host);
  },
};
