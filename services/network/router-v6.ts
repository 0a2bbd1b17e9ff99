import { type Logger, must } from '@folsom/core';
import { forwardIpv6, linkLocalOf, setSysctl } from '@folsom/host/bridges';
import { iptables } from '@folsom/host/iptables';
import { ensureRadvd, radvd } from '@folsom/host/radvd';
import { HOST_COMMAND_MS, type Runner } from '@folsom/host/runner';
import { formatCidrV6, parseCidrV6 } from '@folsom/nova/ipv6';
import type { NetworkRow } from '@folsom/nova/networks';

/** This host as the IPv6 router of its networks' guests. */
export interface RouterV6 {
  /** @throws where this host has no radvd */
  init(): Promise<void>;
  /** The bridge stands already. Gives the router's address on the guests' link, as soon as the kernel has made one. */
  setup(network: NetworkRow): Promise<string | undefined>;
  forget(network: NetworkRow): Promise<void>;
  removeAll(): Promise<void>;
}

/** Where use_ipv6 is off. */
export const noRouterV6: RouterV6 = {
  init: async () => {},
  setup: async () => undefined,
  forget: async () => {},
  removeAll: async () => {},
};

export function routerV6(options: {
  runner: Runner;
  log: Logger;
  lockPath: string;
  networksPath: string;
}): RouterV6 {
  const { runner, log, networksPath: directory, lockPath } = options;
  const rules = iptables({ runner, binary: 'nova-network', lockPath, family: 6 });
  const passing = (bridge: string) => [`-i ${bridge} -j ACCEPT`, `-o ${bridge} -j ACCEPT`];
  return {
    async init() {
      await ensureRadvd(runner);
      if (!(await forwardIpv6(runner))) log.warn('cannot turn on forwarding of IPv6');
      await setSysctl(runner, 'net.bridge.bridge-nf-call-ip6tables', '1');
      await rules.apply();
    },
    async setup(network) {
      if (!network.cidr_v6) return undefined;
      const device = must(network.bridge, 'bridge is there');
      const cidr = formatCidrV6(parseCidrV6(network.cidr_v6));
      // Some hosts have it off for what is not named in their own configuration.
      await setSysctl(runner, `net.ipv6.conf.${device}.disable_ipv6`, '0');
      const words = ['-f', 'inet6', 'addr', 'replace', cidr, 'dev', device, 'nodad'];
      await runner(['ip', ...words], { timeoutMs: HOST_COMMAND_MS });
      for (const rule of passing(device)) rules.addRule('filter', 'FORWARD', rule);
      await rules.apply();
      await radvd(runner, { directory, device }).announce(cidr);
      return linkLocalOf(runner, device);
    },
    async forget({ bridge: device }) {
      if (device === null) return;
      await radvd(runner, { directory, device }).stop();
      for (const rule of passing(device)) rules.removeRule('filter', 'FORWARD', rule);
      await rules.apply();
    },
    removeAll: () => rules.removeAll(),
  };
}
