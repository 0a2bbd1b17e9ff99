import type { Database } from '@folsom/db';
import { fixedIpOfHost, fixedIpsOfInterfaces, floatingIpsOfFixedIps } from '@folsom/nova/fixed-ips';
import { globalV6, type Ipv6Backend } from '@folsom/nova/ipv6';
import type { NetworkFixedIp, NetworkInfo, NetworkIp, NetworkSubnet } from '@folsom/nova/network-info';
import { type NetworkRow, networksByIds } from '@folsom/nova/networks';
import { interfacesOfInstance } from '@folsom/nova/virtual-interfaces';
import type { ManagerKind } from './manager.ts';

const ip = (address: string, type: string): NetworkIp => ({
  address,
  type,
  version: address.includes(':') ? 6 : 4,
  meta: {},
});

/**
 * Describes the network of an instance from the database, in a fixed number of queries whatever the number of cards.
 * `instanceHost` decides the DHCP server's address in multi_host networks.
 */
export async function instanceNetworkInfo(
  db: Database,
  instanceUuid: string,
  rxtxFactor: number | null,
  instanceHost: string | null,
  { kind, ipv6 }: { kind: ManagerKind; ipv6: Ipv6Backend },
): Promise<NetworkInfo> {
  const cards = await interfacesOfInstance(db, instanceUuid);
  const networkIds = cards.flatMap(card => (card.network_id === null ? [] : [card.network_id]));
  const networks = await networksByIds(db, networkIds);
  const fixed = await fixedIpsOfInterfaces(
    db,
    cards.map(card => card.id),
  );
  const floating = await floatingIpsOfFixedIps(
    db,
    [...fixed.values()].flat().map(row => row.id),
  );
  const info: NetworkInfo = [];
  for (const card of cards) {
    const network = card.network_id === null ? undefined : networks.get(card.network_id);
    if (network === undefined) {
      info.push({ id: card.uuid, address: card.address, network: null, meta: {} });
      continue;
    }
    const ips = (fixed.get(card.id) ?? []).map(
      (row): NetworkFixedIp => ({
        ...ip(row.address, 'fixed'),
        floating_ips: (floating.get(row.id) ?? []).map(address => ip(address, 'floating')),
      }),
    );
    if (network.cidr_v6) {
      const address = globalV6(ipv6, network.cidr_v6, card.address, network.project_id);
      ips.push({ ...ip(address, 'fixed'), floating_ips: [] });
    }
    const cap = rxtxFactor !== null && network.rxtx_base ? network.rxtx_base * rxtxFactor : null;
    info.push({
      id: card.uuid,
      address: card.address,
      network: {
        id: network.uuid,
        bridge: network.bridge,
        label: network.label,
        subnets: await subnetsOf(db, network, ips, instanceHost),
        meta: {
          tenant_id: network.project_id,
          ...(network.injected ? { injected: true } : {}),
          ...(kind === 'flat' ? {} : { should_create_bridge: true }),
          ...(kind === 'vlan' ? { should_create_vlan: true } : {}),
          ...(kind === 'vlan' && network.vlan ? { vlan: network.vlan } : {}),
          ...(kind !== 'flat' && network.bridge_interface
            ? { bridge_interface: network.bridge_interface }
            : {}),
          ...(kind !== 'flat' && network.multi_host ? { multi_host: true } : {}),
        },
      },
      meta: cap === null ? {} : { rxtx_cap: cap },
    });
  }
  return info;
}

async function subnetsOf(
  db: Database,
  network: NetworkRow,
  ips: NetworkFixedIp[],
  instanceHost: string | null,
): Promise<NetworkSubnet[]> {
  const dns = [network.dns1, network.dns2].flatMap(address => (address ? [ip(address, 'dns')] : []));
  const dhcpServer =
    network.multi_host && instanceHost !== null
      ? ((await fixedIpOfHost(db, network.id, instanceHost)) ?? network.gateway)
      : network.gateway;
  const subnets: NetworkSubnet[] = [];
  if (network.cidr !== null) {
    subnets.push({
      cidr: network.cidr,
      version: 4,
      dns,
      gateway: network.gateway === null ? null : ip(network.gateway, 'gateway'),
      ips: ips.filter(address => address.version === 4),
      routes: [],
      meta: dhcpServer === null ? {} : { dhcp_server: dhcpServer },
    });
  }
  if (network.cidr_v6) {
    subnets.push({
      cidr: network.cidr_v6,
      version: 6,
      dns: [],
      gateway: network.gateway_v6 === null ? null : ip(network.gateway_v6, 'gateway'),
      ips: ips.filter(address => address.version === 6),
      routes: [],
      meta: {},
    });
  }
  return subnets;
}
