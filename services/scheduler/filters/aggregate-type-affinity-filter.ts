import type { Filter } from './filter.ts';

/** Aggregates whose metadata name an `instance_type` take only those flavors. */
export const aggregateTypeAffinityFilter: Filter = {
  name: 'AggregateTypeAffinityFilter',
  module: 'type_filter',
  prepare: async ({ flavor }, { sources }) => {
    const metadata = await sources.aggregateMetadata();
    return ({ host }) => metadata.get(host)?.get('instance_type')?.has(flavor.name) ?? true;
  },
};
