import { meetsSpec, unscopedSpecs } from './extra-specs.ts';
import { everyHost, type Filter } from './filter.ts';

/** Extra specs of the flavor against what the hypervisor says of itself. */
export const computeCapabilitiesFilter: Filter = {
  name: 'ComputeCapabilitiesFilter',
  module: 'compute_capabilities_filter',
  prepare: ({ flavor }) => {
    const specs = unscopedSpecs(flavor.extra_specs);
    if (specs.length === 0) return everyHost;
    return ({ capabilities }) => specs.every(([key, asked]) => meetsSpec(capabilities[key], asked));
  },
};
