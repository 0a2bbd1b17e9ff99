import { everyHost, type Filter } from './filter.ts';

export const allHostsFilter: Filter = {
  name: 'AllHostsFilter',
  module: 'all_hosts_filter',
  prepare: () => everyHost,
};
