import { Fault, type Random } from '@folsom/core';
import type { Database } from '@folsom/db';
import {
  addressAt,
  broadcastOf,
  type Cidr,
  containsCidr,
  formatCidr,
  netmaskOf,
  parseCidr,
} from '@folsom/nova/ipv4';
import {
  type CidrV6,
  formatCidrV6,
  formatIpv6,
  networksOfV6,
  overlapV6,
  parseCidrV6,
} from '@folsom/nova/ipv6';
import { networkFault } from '@folsom/nova/network-faults';
import { allNetworks, createNetwork, type NetworkRow } from '@folsom/nova/networks';
import type { NovaSettings } from '@folsom/nova/options';
import type { CreateNetworks } from '@folsom/nova/rpc/network';
import { managerKind } from './manager.ts';

/** Defaults from the configuration. */
export interface NetworkDefaults {
  bridge: string | null;
  bridgeInterface: string | null;
  numNetworks: number;
  networkSize: number;
  multiHost: boolean;
  dns1: string | null;
  /** VlanManager: interface of the VLANs, number of the first, port of the first VPN into them, and addresses kept for its clients. */
  vlans?: { interface: string | null; start: number; vpnStart: number; vpnClients: number };
}

type Settings = Pick<
  NovaSettings,
  | 'flat_network_bridge'
  | 'flat_interface'
  | 'num_networks'
  | 'network_size'
  | 'multi_host'
  | 'flat_network_dns'
  | 'network_manager'
  | 'vlan_interface'
  | 'vlan_start'
  | 'vpn_start'
  | 'cnt_vpn_clients'
>;

/** What nova.conf says about new networks. */
export const networkDefaults = (settings: Settings): NetworkDefaults => ({
  bridge: settings.flat_network_bridge,
  bridgeInterface: settings.flat_interface,
  numNetworks: settings.num_networks,
  networkSize: settings.network_size,
  multiHost: settings.multi_host,
  dns1: settings.flat_network_dns,
  ...(managerKind(settings.network_manager) === 'vlan'
    ? {
        vlans: {
          interface: settings.vlan_interface,
          start: settings.vlan_start,
          vpnStart: settings.vpn_start,
          vpnClients: settings.cnt_vpn_clients,
        },
      }
    : {}),
});

/** Largest network made: its addresses become rows. */
const ADDRESSES_MAX = 65_536;
const LABEL_CHARS_MAX = 255;
/** Network address and gateway at the bottom, broadcast at the top. */
const RESERVED_BOTTOM = 2;
/** A VLAN keeps one more for its VPN. */
const RESERVED_BOTTOM_OF_VLAN = 3;
const RESERVED_TOP = 1;
/** VLANs are numbered below. */
const VLAN_END = 4094;

const invalid = (message: string): Fault => new Fault('ValueError', 400, message, { module: 'exceptions' });

/** Creates one or more networks out of a block, with all their addresses; refuses blocks that overlap others. */
export async function createNetworks(
  seam: { db: Database; random: Random; now: number },
  request: CreateNetworks,
  defaults: NetworkDefaults,
): Promise<NetworkRow[]> {
  const label = request.label;
  if (!label) throw networkFault('NetworkNotCreated', { req: 'label' });
  if (label.length > LABEL_CHARS_MAX) throw invalid("Maximum allowed length for 'label' is 255.");
  if (!request.cidr && !request.cidr_v6) throw networkFault('NetworkNotCreated', { req: 'cidr or cidr_v6' });
  const count = whole(request.num_networks, 'num_networks') || defaults.numNetworks;
  const block = request.cidr ? parseCidr(request.cidr) : undefined;
  const device = devicesOf(request, defaults, count);
  const subnets =
    block === undefined
      ? []
      : subnetsOf(block, count, networkSize(block, count, request.network_size, defaults));
  const present = await allNetworks(seam.db);
  const chosen = avoidUsed(subnets, block, present);
  const v6 = request.cidr_v6 ? networksOfV6(parseCidrV6(request.cidr_v6), count) : [];
  refuseTaken(v6, present);
  const gatewayV6 = request.gateway_v6 ? formatIpv6(parseCidrV6(request.gateway_v6).base) : null;
  const total = Math.max(chosen.length, v6.length);

  const made: NetworkRow[] = [];
  for (let index = 0; index < total; index++) {
    const subnet = chosen[index];
    const subnetV6 = v6[index];
    const values = {
      uuid: request.uuid && total === 1 ? request.uuid : seam.random.uuid(),
      label: count > 1 ? `${label}_${index}` : label,
      multi_host: truth(request.multi_host, defaults.multiHost),
      dns1: request.dns1 || defaults.dns1,
      dns2: request.dns2 || null,
      project_id: request.project_id || null,
      priority: whole(request.priority, 'priority') || null,
      ...(subnet === undefined ? {} : ipv4Columns(subnet, request.gateway || null)),
      ...device(index, subnet),
      ...(subnetV6 === undefined ? {} : ipv6Columns(subnetV6, gatewayV6)),
    };
    const range = request.fixed_cidr ? parseCidr(request.fixed_cidr) : subnet;
    made.push(
      await createNetwork(
        seam.db,
        values,
        range === undefined ? [] : addressesOf(range, defaults.vlans),
        seam.now,
      ),
    );
  }
  return made;
}

const ipv4Columns = (subnet: Cidr, gateway: string | null) => ({
  cidr: formatCidr(subnet),
  netmask: netmaskOf(subnet),
  gateway: gateway ?? addressAt(subnet, 1),
  broadcast: broadcastOf(subnet),
  dhcp_start: addressAt(subnet, 2),
});

const ipv6Columns = (subnet: CidrV6, gateway: string | null) => ({
  cidr_v6: formatCidrV6(subnet),
  gateway_v6: gateway ?? formatIpv6(subnet.base + 1n),
  netmask_v6: String(subnet.prefix),
});

/** A block of IPv6 belongs to one network: two would announce it to their guests. */
function refuseTaken(blocks: readonly CidrV6[], networks: readonly NetworkRow[]): void {
  const used = networks.flatMap(network => (network.cidr_v6 ? [parseCidrV6(network.cidr_v6)] : []));
  if (blocks.some(block => used.some(other => overlapV6(block, other))))
    throw invalid('Network already exists!');
}

/** Bridge and interface of each network; under VlanManager also its VLAN and the way into it from a VPN. */
function devicesOf(
  request: CreateNetworks,
  defaults: NetworkDefaults,
  count: number,
): (index: number, subnet: Cidr | undefined) => Partial<NetworkRow> {
  const { vlans } = defaults;
  if (vlans === undefined) {
    const bridge = request.bridge || defaults.bridge;
    if (!bridge) throw networkFault('NetworkNotCreated', { req: 'bridge' });
    const bridge_interface = request.bridge_interface || defaults.bridgeInterface;
    return () => ({ bridge, bridge_interface });
  }
  const bridge_interface = request.bridge_interface || vlans.interface;
  if (!bridge_interface) throw networkFault('NetworkNotCreated', { req: 'bridge_interface' });
  const first = whole(request.vlan_start, 'vlan_start') ?? vlans.start;
  const port = whole(request.vpn_start, 'vpn_start') ?? vlans.vpnStart;
  if (first < 1 || first + count > VLAN_END) {
    throw invalid(
      `The sum between the number of networks and the vlan start cannot be greater than ${VLAN_END}`,
    );
  }
  return (index, subnet) => ({
    bridge_interface,
    vlan: first + index,
    bridge: `br${first + index}`,
    vpn_public_port: port + index,
    ...(subnet === undefined
      ? {}
      : { vpn_private_address: addressAt(subnet, 2), dhcp_start: addressAt(subnet, 3) }),
  });
}

function addressesOf(range: Cidr, vlans: NetworkDefaults['vlans']): { address: string; reserved: boolean }[] {
  const bottom = vlans === undefined ? RESERVED_BOTTOM : RESERVED_BOTTOM_OF_VLAN;
  const top = RESERVED_TOP + (vlans?.vpnClients ?? 0);
  if (range.size > ADDRESSES_MAX) throw invalid(`A network may have at most ${ADDRESSES_MAX} addresses.`);
  return Array.from({ length: range.size }, (_none, index) => ({
    address: addressAt(range, index),
    reserved: index < bottom || range.size - index <= top,
  }));
}

function networkSize(
  block: Cidr,
  count: number,
  wanted: number | string | null | undefined,
  defaults: NetworkDefaults,
): number {
  const asked = whole(wanted, 'network_size');
  if (asked) return asked;
  return Math.floor(block.size / count) > defaults.networkSize ? defaults.networkSize : block.size;
}

/** The first `count` subnets of `size` addresses (rounded up to a power of two) of a block. */
function subnetsOf(block: Cidr, count: number, size: number): Cidr[] {
  const bits = Math.ceil(Math.log2(size));
  const step = 2 ** bits;
  const prefix = 32 - bits;
  if (step > block.size) return [];
  const fits = Math.min(count, block.size / step);
  return Array.from({ length: fits }, (_none, index) => ({
    base: block.base + index * step,
    prefix,
    size: step,
  }));
}

/** Moves subnets that are taken to the next free place in the block; fails when there is none. */
function avoidUsed(subnets: Cidr[], block: Cidr | undefined, networks: readonly NetworkRow[]): Cidr[] {
  const used = networks.flatMap(network => (network.cidr === null ? [] : [parseCidr(network.cidr)]));
  const chosen = [...subnets];
  const same = (a: Cidr, b: Cidr) => a.base === b.base && a.size === b.size;
  const next = (from: Cidr): Cidr | undefined => {
    let candidate = { ...from, base: from.base + from.size };
    while (chosen.some(other => same(other, candidate)))
      candidate = { ...candidate, base: candidate.base + from.size };
    return block !== undefined && containsCidr(block, candidate) ? candidate : undefined;
  };
  const move = (from: Cidr, otherwise: string): Cidr => {
    const to = next(from);
    if (to === undefined) throw invalid(otherwise);
    chosen.splice(
      chosen.findIndex(other => same(other, from)),
      1,
    );
    chosen.push(to);
    return to;
  };
  for (const original of subnets) {
    let subnet = original;
    if (used.some(taken => same(taken, subnet))) subnet = move(subnet, 'cidr already in use');
    for (const taken of used) {
      if (containsCidr(taken, subnet)) {
        throw invalid(
          `requested cidr (${formatCidr(subnet)}) conflicts with existing supernet (${formatCidr(taken)})`,
        );
      }
      if (containsCidr(subnet, taken)) {
        const text = `requested cidr (${formatCidr(subnet)}) conflicts with existing smaller cidr (${formatCidr(taken)})`;
        subnet = move(subnet, text);
      }
    }
  }
  return chosen;
}

function whole(value: number | string | null | undefined, name: string): number | null {
  if (value === null || value === undefined || value === '') return null;
  const number = Number(value);
  if (!Number.isInteger(number)) throw invalid(`${name} must be an integer`);
  return number;
}

const truth = (value: boolean | string | null | undefined, fallback: boolean): boolean => {
  if (value === null || value === undefined) return fallback;
  return typeof value === 'boolean' ? value : /^(1|t|true|on|yes|y)$/i.test(value.trim());
};
