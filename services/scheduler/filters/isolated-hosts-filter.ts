import type { Filter } from './filter.ts';

/** Isolated images run on isolated hosts, all others on all others. */
export const isolatedHostsFilter: Filter = {
  name: 'IsolatedHostsFilter',
  module: 'isolated_hosts_filter',
  concernsImage: true,
  prepare: ({ spec }, { settings }) => {
    const isolated = settings.isolatedImages.includes(spec.instance_properties.image_ref);
    return ({ host }) => settings.isolatedHosts.includes(host) === isolated;
  },
};
