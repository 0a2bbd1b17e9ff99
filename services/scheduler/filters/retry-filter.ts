import { everyHost, type Filter } from './filter.ts';

/** Leaves out hosts on which this boot has failed before. */
export const retryFilter: Filter = {
  name: 'RetryFilter',
  module: 'retry_filter',
  prepare: ({ triedHosts }) => {
    if (triedHosts.length === 0) return everyHost;
    const tried = new Set(triedHosts);
    return ({ host }) => !tried.has(host);
  },
};
