import type { Logger } from '@folsom/core';
import type { Database } from '@folsom/db';
import { setSysctl } from '@folsom/host/bridges';
import { ensureNetworkBridge } from '@folsom/host/network-bridge';
import type { Runner } from '@folsom/host/runner';
import type { NetworkInfo } from '@folsom/nova/network-info';
import type { ComputeSettings } from '../../settings.ts';
import { bridgedHere } from './bridged.ts';
import { type Firewall, firewall, noFirewall } from './firewall.ts';

/** Makes the bridges and VLANs of guests' networks be there on this host, as far as their network leaves that to it. */
export function guestBridges(options: { settings: ComputeSettings; runner: Runner; log: Logger }) {
  const { settings, runner, log } = options;
  const host = {
    runner,
    lockPath: settings.lock_path,
    mtu: settings.network_device_mtu,
    flatInterface: settings.flat_interface,
    vlanInterface: settings.vlan_interface,
  };
  let filtered: Promise<unknown> | undefined;
  /** Or what one guest sends another of its bridge would pass by their groups. */
  const filterBridges = async (): Promise<void> => {
    for (const family of ['iptables', 'ip6tables']) {
      if (await setSysctl(runner, `net.bridge.bridge-nf-call-${family}`, '1')) continue;
      log.warn('traffic within a bridge is not filtered here: this kernel has no br_netfilter', { family });
    }
  };
  return async (network: NetworkInfo): Promise<void> => {
    for (const { label, bridge, meta } of bridgedHere(network)) {
      filtered ??= filterBridges();
      await filtered;
      const vlan = meta.should_create_vlan ? (meta.vlan ?? null) : null;
      await ensureNetworkBridge(host, {
        label,
        bridge,
        vlan,
        bridgeInterface: meta.bridge_interface ?? null,
      });
    }
  };
}

/** The same packet filter, where a guest that is added has its bridges first. */
const onBridges = (
  firewall: Firewall,
  ensure: (network: NetworkInfo) => Promise<void>,
  log: Logger,
): Firewall => ({
  ...firewall,
  async adopt(guests) {
    // A bridge that cannot be had must not keep the others without their filters.
    for (const guest of guests) {
      await ensure(guest.network).catch(error =>
        log.error('cannot make the bridges of a guest', { instance: guest.uuid, error }),
      );
    }
    await firewall.adopt(guests);
  },
  async add(guest) {
    await ensure(guest.network);
    await firewall.add(guest);
  },
});

/** What stands between this host's guests and everybody else: their bridges and, with `filters`, their groups. */
export function hostFirewall(
  options: Parameters<typeof guestBridges>[0] & { db: Database; filters: boolean },
): Firewall {
  const { settings, db, runner, log, filters } = options;
  const { allow_same_net_traffic: allowSameNetTraffic, lock_path: lockPath, use_ipv6: ipv6 } = settings;
  const walls = filters ? firewall({ db, runner, log, allowSameNetTraffic, ipv6, lockPath }) : noFirewall;
  return onBridges(walls, guestBridges(options), log);
}
