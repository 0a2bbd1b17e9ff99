import { isFault, type Logger, type RequestContext, type World } from '@folsom/core';
import type { Database } from '@folsom/db';
import {
  associatedFixedIps,
  deallocateFixedIp,
  fixedIpByAddress,
  fixedIpOfHost,
  fixedIpsOfInstance,
  freeFixedIp,
  setFixedIpLeased,
  takeFixedIp,
  takeFixedIpFromPool,
} from '@folsom/nova/fixed-ips';
import { instanceIdentity } from '@folsom/nova/instance-identity';
import type { Ipv6Backend } from '@folsom/nova/ipv6';
import type { NetworkApi } from '@folsom/nova/network-api';
import { networkFault } from '@folsom/nova/network-faults';
import { type NetworkRow, networkById, setNetworkHost, updateNetwork } from '@folsom/nova/networks';
import { refreshMembersOfInstance } from '@folsom/nova/security-group-members';
import { interfacesOfInstance } from '@folsom/nova/virtual-interfaces';
import type { Bus, Notifier } from '@folsom/rpc';
import type { Names } from './dns/choose.ts';
import { enterInstance, removeInstance } from './dns/names.ts';
import type { LeaseSpool } from './lease-spool.ts';
import type { ManagerKind } from './manager.ts';
import type { NetworkHost } from './network-host.ts';

/** Where floating addresses come from. */
export interface FloatingSettings {
  defaultPool: string;
  /** Device of all floating addresses; empty for the one noted with each. */
  publicInterface: string;
}

/** Counts addresses against a tenant's quota; `commit` and `rollback` end a reservation. */
export interface AddressQuota {
  reserve(context: RequestContext, projectId: string | null, delta: 1 | -1): Promise<QuotaReservation>;
}
export interface QuotaReservation {
  commit(): Promise<void>;
  rollback(): Promise<void>;
}

export interface AddressSeam {
  db: Database;
  bus: Bus;
  world: World;
  log: Logger;
  host: string;
  networkHost: NetworkHost;
  /** What kind of networks this service looks after. */
  kind: ManagerKind;
  /** How guests' IPv6 addresses follow from their cards. */
  ipv6: Ipv6Backend;
  /** Whether flat networks are noted as ones whose addresses compute hosts write into disks (flat_injected). */
  injects: boolean;
  /** Public address of VPNs. */
  vpnAddress: string;
  /** Addresses tried for a new card. */
  macAttempts: number;
  leases: LeaseSpool | null;
  /** Where names of floating addresses and of instances are kept. */
  dns: Names;
  quota: AddressQuota;
  floatingQuota: AddressQuota;
  floating: FloatingSettings;
  /** Tells the world outside what happens. */
  notify: Notifier;
  /** A lease ends with its instance (force_dhcp_release) instead of running out. */
  forceRelease: boolean;
  client: NetworkApi['client'];
  /** Whether a nova-network of that host is alive. */
  isUp: (host: string) => Promise<boolean>;
}

/** The address this host answers DHCP on: the gateway, or one of its own in a multi_host network. */
async function dhcpAddress(seam: AddressSeam, network: NetworkRow): Promise<string> {
  if (!network.multi_host) {
    if (network.gateway === null) throw networkFault('NetworkNotCreated', { req: 'gateway' });
    return network.gateway;
  }
  const own = await fixedIpOfHost(seam.db, network.id, seam.host);
  return own ?? takeFixedIpFromPool(seam.db, network.id, { host: seam.host }, seam.world.clock.now());
}

/** A network whose VPN has no public address has that of all VPNs. */
async function withVpnAddress(seam: AddressSeam, network: NetworkRow): Promise<NetworkRow> {
  if (network.vpn_public_address || !network.vpn_private_address) return network;
  const change = { vpn_public_address: seam.vpnAddress };
  await updateNetwork(seam.db, network.id, change, seam.world.clock.now());
  return { ...network, ...change };
}

export async function setupNetwork(seam: AddressSeam, network: NetworkRow): Promise<void> {
  if (seam.kind === 'flat') {
    // The bridge is the operator's; the compute hosts only have to know whether to write addresses into disks.
    if (network.injected !== seam.injects) {
      await updateNetwork(seam.db, network.id, { injected: seam.injects }, seam.world.clock.now());
    }
    return;
  }
  const served = seam.kind === 'vlan' ? await withVpnAddress(seam, network) : network;
  const { gatewayV6 } = await seam.networkHost.setup(served, await dhcpAddress(seam, served));
  // Guests know their router by what it calls itself on their link; of a multi_host network each host is one.
  if (gatewayV6 === undefined || gatewayV6 === network.gateway_v6 || network.multi_host) return;
  await updateNetwork(seam.db, network.id, { gateway_v6: gatewayV6 }, seam.world.clock.now());
}

async function refreshDhcp(seam: AddressSeam, network: NetworkRow, forget = false): Promise<void> {
  if (seam.networkHost.fake) return;
  await seam.networkHost.refreshDhcp(network, await dhcpAddress(seam, network), forget);
}

export const teardownNetwork = (seam: AddressSeam, network: NetworkRow): Promise<void> =>
  refreshDhcp(seam, network);

/** Which host has to do the work for an instance of `instanceHost` in this network. */
async function responsibleHost(
  seam: AddressSeam,
  context: RequestContext,
  network: NetworkRow,
  instanceHost: string | null,
): Promise<string> {
  const host = network.multi_host ? instanceHost : network.host;
  if (host) return host;
  if (network.multi_host) return seam.client.set_network_host(context, { network_ref: { id: network.id } });
  return setNetworkHost(seam.db, network.id, seam.host, seam.world.clock.now());
}

/** Gives an instance an address in a network, on the host that serves it. */
export async function allocateFixedIp(
  seam: AddressSeam,
  context: RequestContext,
  request: {
    instanceId: number;
    instanceHost: string | null;
    network: NetworkRow;
    address: string | null;
    /** The VPN guest of its project: it gets the address that VPNs are forwarded to. */
    vpn?: boolean;
  },
): Promise<string> {
  const host = await responsibleHost(seam, context, request.network, request.instanceHost);
  if (host === seam.host) return allocateHere(seam, context, request);
  return seam.client._rpc_allocate_fixed_ip(
    context,
    {
      instance_id: request.instanceId,
      network_id: request.network.id,
      address: request.address,
      vpn: request.vpn ?? false,
    },
    { host },
  );
}

export async function allocateHere(
  seam: AddressSeam,
  context: RequestContext,
  { instanceId, network, ...request }: Omit<Parameters<typeof allocateFixedIp>[2], 'instanceHost'>,
): Promise<string> {
  const { db, world } = seam;
  const ofVpn = request.vpn && seam.kind === 'vlan' ? network.vpn_private_address : null;
  const address = ofVpn ?? request.address;
  const instance = await instanceIdentity(db, instanceId);
  const card = (await interfacesOfInstance(db, instance.uuid)).find(vif => vif.network_id === network.id);
  if (card === undefined) throw networkFault('VirtualInterfaceMacAddressException');
  const reservation = await seam.quota.reserve(context, instance.project_id, 1);
  let taken: string | undefined;
  try {
    const owner = { instanceUuid: instance.uuid, virtualInterfaceId: card.id };
    taken =
      address === null
        ? await takeFixedIpFromPool(db, network.id, owner, world.clock.now())
        : await takeFixedIp(db, network, address, owner, world.clock.now(), ofVpn !== null);
    if (!seam.networkHost.fake) await refreshDhcp(seam, network);
    await refreshMembersOfInstance(seam, context, instance.uuid);
    await reservation.commit();
    await enterInstance(seam, instance.uuid, taken);
    return taken;
  } catch (error) {
    await reservation.rollback();
    if (taken !== undefined) {
      const { id } = await fixedIpByAddress(db, taken);
      const held = { id, instance_uuid: instance.uuid };
      await deallocateFixedIp(db, held, world.clock.now());
      await freeFixedIp(db, held, world.clock.now());
    }
    throw error;
  }
}

/** Takes an address away from its instance, on the host that serves it. */
export async function deallocateAddress(
  seam: AddressSeam,
  context: RequestContext,
  address: string,
  instanceHost: string | null,
): Promise<void> {
  const row = await fixedIpByAddress(seam.db, address);
  if (row.network_id === null) return deallocateHere(seam, context, address, false);
  const network = await networkById(seam.db, row.network_id);
  const host = network.multi_host ? instanceHost : network.host;
  if (host === seam.host || host === null) return deallocateHere(seam, context, address, true);
  // The host is gone: give the address back in the database, its DHCP server needs no telling.
  if (network.multi_host && !(await seam.isUp(host))) return deallocateHere(seam, context, address, false);
  await seam.client.deallocate_fixed_ip(context, { address, host }, { host });
}

/** Does it here. Safe to repeat: an address that is no longer allocated stays as it is. */
export async function deallocateHere(
  seam: AddressSeam,
  context: RequestContext,
  address: string,
  teardown: boolean,
): Promise<void> {
  const { db, world } = seam;
  await seam.leases?.drain();
  const row = await fixedIpByAddress(db, address);
  if (row.instance_uuid === null) return;
  // Of an instance that was removed from the table, nobody's quota is known.
  const instance = await instanceIdentity(db, row.instance_uuid).catch(error => {
    if (!isFault(error, 'InstanceNotFound')) throw error;
    return undefined;
  });
  const reservation = row.allocated
    ? await seam.quota.reserve(context, instance?.project_id ?? null, -1).catch(error => {
        seam.log.error('cannot update usage for a fixed address', { address, error });
        return undefined;
      })
    : undefined;
  await removeInstance(seam, address);
  await deallocateFixedIp(db, row, world.clock.now());
  const release = row.leased && teardown && seam.forceRelease;
  if (release) await setFixedIpLeased(db, row, false, world.clock.now());
  if (teardown && row.network_id !== null)
    await refreshDhcp(seam, await networkById(db, row.network_id), release);
  // Nobody holds a lease on it, so there is no guest that could still use it: free for the next one at once.
  if (!row.leased || release) await freeFixedIp(db, row, world.clock.now());
  await refreshMembersOfInstance(seam, context, row.instance_uuid);
  await reservation?.commit();
}

export async function deallocateAll(
  seam: AddressSeam,
  context: RequestContext,
  instanceUuid: string,
  instanceHost: string | null,
): Promise<void> {
  for (const row of await fixedIpsOfInstance(seam.db, instanceUuid)) {
    // One that is neither allocated nor leased is what is left where an earlier deallocation was cut short.
    if (row.allocated || !row.leased) await deallocateAddress(seam, context, row.address, instanceHost);
  }
}

/** A guest took its address. */
export async function leaseFixedIp(seam: AddressSeam, address: string): Promise<void> {
  const row = await fixedIpByAddress(seam.db, address);
  if (row.instance_uuid === null) {
    seam.log.warn('an address was leased that belongs to nobody', { address });
    return;
  }
  await setFixedIpLeased(seam.db, row, true, seam.world.clock.now());
}

/** A guest gave its address back, or its lease ran out. */
export async function releaseFixedIp(seam: AddressSeam, address: string): Promise<void> {
  const row = await fixedIpByAddress(seam.db, address);
  if (row.instance_uuid === null) return;
  await setFixedIpLeased(seam.db, row, false, seam.world.clock.now());
  if (!row.allocated) await freeFixedIp(seam.db, row, seam.world.clock.now());
}

export const associatedOf = (db: Database, host: string) => (network: NetworkRow) =>
  associatedFixedIps(db, network.id, network.multi_host ? host : null);
