import { serviceIsUp } from '@folsom/nova/services';
import type { Filter } from './filter.ts';

/** Hosts whose nova-compute is enabled and has reported lately. */
export const computeFilter: Filter = {
  name: 'ComputeFilter',
  module: 'compute_filter',
  prepare: (_request, { settings, clock }) => {
    const now = clock.now();
    return ({ service, capabilities }) =>
      !service.disabled &&
      serviceIsUp(service, now, settings.serviceDownTimeMs) &&
      (capabilities.enabled === undefined || Boolean(capabilities.enabled));
  },
};
