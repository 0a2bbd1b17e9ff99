import { everyHost, type Filter, noHost, uuidsOfHint } from './filter.ts';

/** Hint `same_host`: beside any of these instances. */
export const sameHostFilter: Filter = {
  name: 'SameHostFilter',
  module: 'affinity_filter',
  prepare: async ({ hints, context }, { sources }) => {
    const uuids = uuidsOfHint(hints.same_host);
    if (uuids === undefined) return everyHost;
    if (uuids === null) return noHost;
    const hosts = await sources.hostsOfInstances(context, uuids);
    return ({ host }) => hosts.has(host);
  },
};
