import type { Filter } from './filter.ts';

/** Memory, as far as ram_allocation_ratio promises more than there is. */
export const ramFilter: Filter = {
  name: 'RamFilter',
  module: 'ram_filter',
  prepare:
    ({ flavor }, { settings }) =>
    host => {
      const limit = host.totalRamMb * settings.ramAllocationRatio;
      const used = host.totalRamMb - host.freeRamMb;
      if (limit - used < flavor.memory_mb) return false;
      host.limits.memory_mb = limit;
      return true;
    },
};
