import { everyHost, type Filter } from './filter.ts';

export const availabilityZoneFilter: Filter = {
  name: 'AvailabilityZoneFilter',
  module: 'availability_zone_filter',
  prepare: ({ spec }) => {
    const zone = spec.instance_properties.availability_zone;
    if (!zone) return everyHost;
    return ({ service }) => service.availability_zone === zone;
  },
};
