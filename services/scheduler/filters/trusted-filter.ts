import { everyHost, type Filter } from './filter.ts';

/** Extra spec `trust:trusted_host`: hosts whose attested trust level is this. */
export const trustedFilter: Filter = {
  name: 'TrustedFilter',
  module: 'trusted_filter',
  prepare: async ({ flavor }, { attest }, hosts) => {
    const wanted = flavor.extra_specs?.['trust:trusted_host'];
    if (!wanted) return everyHost;
    const levels = await attest(hosts.map(({ host }) => host));
    return ({ host }) => levels.get(host) === wanted;
  },
};
