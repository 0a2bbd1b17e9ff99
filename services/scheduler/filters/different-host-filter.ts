import { everyHost, type Filter, noHost, uuidsOfHint } from './filter.ts';

/** Hint `different_host`: away from these instances. */
export const differentHostFilter: Filter = {
  name: 'DifferentHostFilter',
  module: 'affinity_filter',
  prepare: async ({ hints, context }, { sources }) => {
    const uuids = uuidsOfHint(hints.different_host);
    if (uuids === undefined) return everyHost;
    if (uuids === null) return noHost;
    const hosts = await sources.hostsOfInstances(context, uuids);
    return ({ host }) => !hosts.has(host);
  },
};
