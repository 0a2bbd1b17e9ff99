import { must } from '@folsom/core';
import { schedulerFault } from '../faults.ts';
import { aggregateInstanceExtraSpecsFilter } from './aggregate-instance-extra-specs-filter.ts';
import { aggregateTypeAffinityFilter } from './aggregate-type-affinity-filter.ts';
import { allHostsFilter } from './all-hosts-filter.ts';
import { availabilityZoneFilter } from './availability-zone-filter.ts';
import { computeCapabilitiesFilter } from './compute-capabilities-filter.ts';
import { computeFilter } from './compute-filter.ts';
import { coreFilter } from './core-filter.ts';
import { differentHostFilter } from './different-host-filter.ts';
import { diskFilter } from './disk-filter.ts';
import type { Filter } from './filter.ts';
import { imagePropertiesFilter } from './image-properties-filter.ts';
import { isolatedHostsFilter } from './isolated-hosts-filter.ts';
import { jsonFilter } from './json-filter.ts';
import { ramFilter } from './ram-filter.ts';
import { retryFilter } from './retry-filter.ts';
import { sameHostFilter } from './same-host-filter.ts';
import { simpleCidrAffinityFilter } from './simple-cidr-affinity-filter.ts';
import { trustedFilter } from './trusted-filter.ts';
import { typeAffinityFilter } from './type-affinity-filter.ts';

/** Every filter of Folsom. */
export const STANDARD_FILTERS: readonly Filter[] = [
  aggregateInstanceExtraSpecsFilter,
  aggregateTypeAffinityFilter,
  allHostsFilter,
  availabilityZoneFilter,
  computeCapabilitiesFilter,
  computeFilter,
  coreFilter,
  differentHostFilter,
  diskFilter,
  imagePropertiesFilter,
  isolatedHostsFilter,
  jsonFilter,
  ramFilter,
  retryFilter,
  sameHostFilter,
  simpleCidrAffinityFilter,
  trustedFilter,
  typeAffinityFilter,
];

const PACKAGE = 'nova.scheduler.filters';

/**
 * The filters in use, in their order. `available` is scheduler_available_filters (class paths, or `standard_filters`
 * for all), `wanted` scheduler_default_filters.
 *
 * @throws Fault `ClassNotFound`, `SchedulerHostFilterNotFound`
 */
export function chooseFilters(available: readonly string[], wanted: readonly string[]): Filter[] {
  const allowed = new Map<string, Filter>();
  for (const path of available) {
    const found =
      path === `${PACKAGE}.standard_filters`
        ? STANDARD_FILTERS
        : STANDARD_FILTERS.filter(filter => path === `${PACKAGE}.${filter.module}.${filter.name}`);
    if (found.length === 0) {
      throw schedulerFault('ClassNotFound', { class_name: path, exception: 'Not a valid scheduler filter' });
    }
    for (const filter of found) allowed.set(filter.name, filter);
  }
  const unknown = wanted.filter(name => !allowed.has(name));
  if (unknown.length > 0) {
    throw schedulerFault('SchedulerHostFilterNotFound', { filter_name: unknown.join(', ') });
  }
  return wanted.map(name => must(allowed.get(name), 'allowed has name'));
}
