import type { Filter } from './filter.ts';

/** Processors, as far as cpu_allocation_ratio promises more than there are. */
export const coreFilter: Filter = {
  name: 'CoreFilter',
  module: 'core_filter',
  prepare:
    ({ flavor }, { settings }) =>
    host => {
      // A hypervisor that does not report its processors must not be shut out.
      if (host.vcpusTotal === 0) return true;
      const limit = host.vcpusTotal * settings.cpuAllocationRatio;
      host.limits.vcpu = limit;
      return limit - host.vcpusUsed >= flavor.vcpus;
    },
};
