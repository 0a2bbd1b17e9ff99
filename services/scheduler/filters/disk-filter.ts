import type { Filter } from './filter.ts';

/** Disk, as far as disk_allocation_ratio promises more than there is. */
export const diskFilter: Filter = {
  name: 'DiskFilter',
  module: 'disk_filter',
  prepare:
    ({ flavor }, { settings }) =>
    host => {
      const totalMb = host.totalDiskGb * 1024;
      const limitMb = totalMb * settings.diskAllocationRatio;
      const usedMb = totalMb - host.freeDiskMb;
      if (limitMb - usedMb < (flavor.root_gb + flavor.ephemeral_gb) * 1024) return false;
      host.limits.disk_gb = limitMb / 1024;
      return true;
    },
};
