import ipaddr from 'ipaddr.js';
import { everyHost, type Filter, noHost } from './filter.ts';

/** Hints `build_near_host_ip` and `cidr`: on a host whose address lies in that network. */
export const simpleCidrAffinityFilter: Filter = {
  name: 'SimpleCIDRAffinityFilter',
  module: 'affinity_filter',
  prepare: ({ hints }) => {
    const near = hints.build_near_host_ip;
    if (near === undefined || near === null || near === '') return everyHost;
    const cidr = hints.cidr ?? '/24';
    const text = `${near}${cidr}`;
    if (text.length > 64 || !ipaddr.isValidCIDR(text)) return noHost;
    const [network, length] = ipaddr.parseCIDR(text);
    return ({ capabilities }) => {
      const address = capabilities.host_ip;
      if (typeof address !== 'string' || !ipaddr.isValid(address)) return false;
      const parsed = ipaddr.parse(address);
      return parsed.kind() === network.kind() && parsed.match(network, length);
    };
  },
};
