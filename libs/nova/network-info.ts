/**
 * What an instance's network looks like, exactly as it travels over the bus and is kept in
 * `instance_info_caches.network_info`: a list of cards, each with its network, subnets and addresses.
 */

export interface NetworkIp {
  address: string | null;
  type: string;
  version: number | null;
  meta: Record<string, unknown>;
}

export interface NetworkFixedIp extends NetworkIp {
  floating_ips: NetworkIp[];
}

export interface NetworkSubnet {
  cidr: string | null;
  version: number | null;
  dns: NetworkIp[];
  gateway: NetworkIp | null;
  ips: NetworkFixedIp[];
  routes: { cidr: string; gateway: NetworkIp | null; interface: null; meta: Record<string, unknown> }[];
  /** `dhcp_server` where there is one. */
  meta: { dhcp_server?: string };
}

export interface NetworkModel {
  /** The network's uuid. */
  id: string;
  bridge: string | null;
  label: string;
  subnets: NetworkSubnet[];
  meta: {
    tenant_id: string | null;
    injected?: boolean;
    should_create_bridge?: boolean;
    should_create_vlan?: boolean;
    vlan?: number;
    bridge_interface?: string;
    multi_host?: boolean;
  };
}

export interface NetworkVif {
  /** The card's uuid. */
  id: string;
  /** MAC address. */
  address: string;
  network: NetworkModel | null;
  meta: { rxtx_cap?: number };
}

export type NetworkInfo = NetworkVif[];

/** Every fixed address of the cards, in order. */
export const fixedIpsOf = (info: NetworkInfo): NetworkFixedIp[] =>
  info.flatMap(vif => vif.network?.subnets.flatMap(subnet => subnet.ips) ?? []);

/** Reads a cached text; anything unreadable counts as no network. */
export function parseNetworkInfo(text: string | null | undefined): NetworkInfo {
  if (!text) return [];
  try {
    const value = JSON.parse(text) as unknown;
    return Array.isArray(value) ? (value as NetworkInfo) : [];
  } catch {
    return [];
  }
}
