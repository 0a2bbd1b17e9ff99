import { meetsSpec, unscopedSpecs } from './extra-specs.ts';
import { everyHost, type Filter } from './filter.ts';

/** Extra specs of the flavor against the metadata of the host's aggregates. */
export const aggregateInstanceExtraSpecsFilter: Filter = {
  name: 'AggregateInstanceExtraSpecsFilter',
  module: 'aggregate_instance_extra_specs',
  prepare: async ({ flavor }, { sources }) => {
    const specs = unscopedSpecs(flavor.extra_specs);
    if (specs.length === 0) return everyHost;
    const metadata = await sources.aggregateMetadata();
    return ({ host }) =>
      specs.every(([key, asked]) => {
        const values = metadata.get(host)?.get(key) ?? new Set<string>();
        return [...values].some(value => meetsSpec(value, asked));
      });
  },
};
