import type { keyedMutex } from '@folsom/core';
import { elevated, type RequestContext } from '@folsom/core';
import { novaFault } from '@folsom/nova/faults';
import { fixedIpByAddress, fixedIpsOfInstance } from '@folsom/nova/fixed-ips';
import { floatingIpsOfFixedIp } from '@folsom/nova/floating-ips';
import { instanceIdentity } from '@folsom/nova/instance-identity';
import { parseIpv4 } from '@folsom/nova/ipv4';
import { networkFault } from '@folsom/nova/network-faults';
import type { NetworkInfo } from '@folsom/nova/network-info';
import {
  allNetworks,
  type NetworkRow,
  networkById,
  networkByUuid,
  networksByIds,
  networksByUuids,
} from '@folsom/nova/networks';
import { networksOfProject, takeNetworkForProject } from '@folsom/nova/project-networks';
import type { networkContract, RequestedNetworkList } from '@folsom/nova/rpc/network';
import {
  createVirtualInterface,
  deleteInterfacesOfInstance,
  interfacesOfInstance,
} from '@folsom/nova/virtual-interfaces';
import type { Handlers } from '@folsom/rpc';
import {
  type AddressSeam,
  allocateFixedIp,
  deallocateAddress,
  deallocateAll,
  setupNetwork,
  teardownNetwork,
} from './addresses.ts';
import {
  allocateFloatingIp,
  associateFloatingIp,
  releaseFloatingIpsOf,
  setupFloatingIps,
} from './floating-ips.ts';
import type { ManagerKind } from './manager.ts';
import { instanceNetworkInfo } from './network-info-model.ts';

/** An instance's cards and addresses, as a whole and one by one. */

type All = Handlers<typeof networkContract.methods>;
type Args<Name extends keyof All> = Parameters<All[Name]>[1];

export interface Turns {
  /** The bus may bring a message twice: what changes an instance's cards and addresses goes one by one. */
  inTurn: ReturnType<typeof keyedMutex>;
  /** Whether an instance comes with a floating address. */
  autoAssignFloatingIp: boolean;
}

/**
 * The networks an instance gets cards in: those asked for, else, under VlanManager, its project's (one is taken for it at
 * its first boot), else every network that is no VLAN. One that was asked for and cannot be had is a fault, never left out.
 */
async function networksFor(
  { db, kind, world }: AddressSeam,
  projectId: string | null,
  requested: RequestedNetworkList,
): Promise<NetworkRow[]> {
  const uuids = (requested ?? []).map(([uuid]) => uuid);
  if (uuids.length > 0) return asked(kind, await networksByUuids(db, uuids, null), null);
  if (kind !== 'vlan' || projectId === null) return (await allNetworks(db)).filter(network => !network.vlan);
  const own = await networksOfProject(db, projectId);
  const chosen = own.length > 0 ? own : [await takeNetworkForProject(db, projectId, world.clock.now())];
  const rows = await networksByIds(
    db,
    chosen.map(({ id }) => id),
  );
  return [...rows.values()];
}

/**
 * The networks as they are, if all may be asked for: without VlanManager none that is a VLAN, with it only those of the
 * project (null: whoever asks may have any).
 */
function asked(kind: ManagerKind, networks: NetworkRow[], projectId: string | null): NetworkRow[] {
  const refused = networks.find(network =>
    kind === 'vlan' ? projectId !== null && network.project_id !== projectId : Boolean(network.vlan),
  );
  if (refused === undefined) return networks;
  throw networkFault('NetworkNotFoundForProject', { network_uuid: refused.uuid, project_id: projectId });
}

/** Makes the networks of an instance's cards be there on the host that serves them, or no longer. */
export async function setupOnHost(
  seam: AddressSeam,
  context: RequestContext,
  args: Args<'setup_networks_on_host'>,
): Promise<null> {
  const { db } = seam;
  const instance = await instanceIdentity(db, args.instance_id);
  for (const card of await interfacesOfInstance(db, instance.uuid)) {
    if (card.network_id === null) continue;
    const network = await networkById(db, card.network_id);
    const host = network.multi_host ? args.host : network.host;
    const teardown = args.teardown ?? false;
    if (host === null || host === seam.host) await (teardown ? teardownNetwork : setupNetwork)(seam, network);
    else await seam.client.rpc_setup_network_on_host(context, { network_id: network.id, teardown }, { host });
  }
  // An instance that moved took its floating addresses along.
  await setupFloatingIps(seam);
  return null;
}

/** Where the configuration asks for it, an instance comes with a floating address of its own. */
async function assignFloatingIp(
  seam: AddressSeam,
  context: RequestContext,
  { instance_uuid, project_id }: Args<'allocate_for_instance'>,
): Promise<void> {
  const [fixed] = await fixedIpsOfInstance(seam.db, instance_uuid);
  if (fixed === undefined || (await floatingIpsOfFixedIp(seam.db, fixed.id)).length > 0) return;
  const floating_address = await allocateFloatingIp(seam, context, { project_id, auto_assigned: true });
  const binding = { floating_address, fixed_address: fixed.address, affect_auto_assigned: true };
  await associateFloatingIp(seam, context, binding);
}

/** A card in each network and an address on it. A build that is tried again, or told twice, keeps what it was given. */
export function allocate(
  seam: AddressSeam,
  { inTurn, autoAssignFloatingIp }: Turns,
  context: RequestContext,
  args: Args<'allocate_for_instance'>,
): Promise<NetworkInfo> {
  const { db } = seam;
  const { instance_uuid: uuid } = args;
  return inTurn(uuid, async () => {
    const admin = elevated(context);
    // A message that arrives late: its instance has given everything back already.
    const instance = await instanceIdentity(db, uuid);
    const moved = args.host !== null && instance.host !== null && instance.host !== args.host;
    if (instance.deleted || moved) throw novaFault('InstanceNotFound', { instance_id: uuid });
    const networks = await networksFor(seam, args.project_id, args.requested_networks ?? null);
    const hadCards = (await interfacesOfInstance(db, uuid)).length > 0;
    const given: string[] = [];
    try {
      for (const network of networks) await giveAddress(seam, admin, args, network, given);
    } catch (error) {
      // What was given before the failure is taken back: nothing half made stays.
      for (const address of given) {
        await deallocateAddress(seam, admin, address, args.host).catch(undo =>
          seam.log.error('cannot take an address back', { instance: uuid, address, error: undo }),
        );
      }
      if (!hadCards) await deleteInterfacesOfInstance(db, uuid);
      throw error;
    }
    if (autoAssignFloatingIp) await assignFloatingIp(seam, admin, args);
    return instanceNetworkInfo(db, uuid, args.rxtx_factor, args.host, seam);
  });
}

async function giveAddress(
  seam: AddressSeam,
  admin: RequestContext,
  args: Args<'allocate_for_instance'>,
  network: NetworkRow,
  given: string[],
): Promise<void> {
  await cardIn(seam, args.instance_uuid, network);
  const address = (args.requested_networks ?? []).find(([uuid]) => uuid === network.uuid)?.[1] || null;
  const held = await fixedIpsOfInstance(seam.db, args.instance_uuid);
  const mine = held.filter(row => row.allocated && row.network_id === network.id);
  if (mine.some(row => address === null || row.address === address)) return;
  const { instance_id: instanceId, host: instanceHost, vpn } = args;
  given.push(await allocateFixedIp(seam, admin, { instanceId, instanceHost, network, address, vpn }));
}

/** The instance's card in a network; made when it has none. */
async function cardIn(
  { db, world, macAttempts: attempts }: AddressSeam,
  uuid: string,
  network: NetworkRow,
): Promise<void> {
  const cards = await interfacesOfInstance(db, uuid);
  if (cards.some(card => card.network_id === network.id)) return;
  const card = { instanceUuid: uuid, networkId: network.id };
  await createVirtualInterface(db, card, { random: world.random, now: world.clock.now(), attempts });
}

/** Gives everything back. Whose it was may not give away what another host's guest runs with. */
export async function deallocate(
  seam: AddressSeam,
  { inTurn }: Turns,
  context: RequestContext,
  args: Args<'deallocate_for_instance'>,
): Promise<null> {
  const { db } = seam;
  const instance = await instanceIdentity(db, args.instance_id);
  return inTurn(instance.uuid, async () => {
    const { host: owner, deleted } = await instanceIdentity(db, instance.uuid);
    const mine = args.only_if_host;
    if (mine !== undefined && owner !== null && owner !== mine && !deleted) {
      const fields = { instance: instance.uuid, host: mine };
      seam.log.info("addresses of an instance are another host's by now", fields);
      return null;
    }
    for (const row of await fixedIpsOfInstance(db, instance.uuid)) {
      await releaseFloatingIpsOf(seam, elevated(context), row.id);
    }
    await deallocateAll(seam, elevated(context), instance.uuid, args.host ?? instance.host);
    await deleteInterfacesOfInstance(db, instance.uuid);
    return null;
  });
}

export async function addFixedIp(
  seam: AddressSeam,
  context: RequestContext,
  args: Args<'add_fixed_ip_to_instance'>,
): Promise<null> {
  const { db } = seam;
  const numeric = typeof args.network_id === 'number' || /^\d+$/.test(args.network_id);
  const network = numeric
    ? await networkById(db, Number(args.network_id))
    : await networkByUuid(db, String(args.network_id));
  const instance = await instanceIdentity(db, args.instance_id);
  await cardIn(seam, instance.uuid, network);
  const { instance_id: instanceId, host: instanceHost } = args;
  await allocateFixedIp(seam, elevated(context), { instanceId, instanceHost, network, address: null });
  return null;
}

export async function removeFixedIp(
  seam: AddressSeam,
  context: RequestContext,
  { instance_id, address, host }: Args<'remove_fixed_ip_from_instance'>,
): Promise<null> {
  const instance = await instanceIdentity(seam.db, instance_id);
  const mine = (await fixedIpsOfInstance(seam.db, instance.uuid)).find(row => row.address === address);
  if (mine === undefined) {
    const values = { instance_uuid: instance.uuid, ip: address };
    throw networkFault('FixedIpNotFoundForSpecificInstance', values);
  }
  await deallocateAddress(seam, elevated(context), address, host);
  return null;
}

/** Whether a boot may ask for these networks and addresses. */
export async function validateNetworks(
  { db, kind }: AddressSeam,
  context: RequestContext,
  { networks: requested }: Args<'validate_networks'>,
): Promise<null> {
  if (requested === null || requested.length === 0) return null;
  const uuids = requested.map(([uuid]) => uuid);
  const owner = context.isAdmin ? null : context.projectId;
  asked(kind, await networksByUuids(db, uuids, owner), owner);
  for (const [uuid, address] of requested) {
    if (address === null) continue;
    if (typeof address !== 'string' || parseIpv4(address) === undefined) {
      throw networkFault('FixedIpInvalid', { address });
    }
    const row = await fixedIpByAddress(db, address);
    const network = row.network_id === null ? undefined : await networkById(db, row.network_id);
    if (network?.uuid !== uuid) {
      throw networkFault('FixedIpNotFoundForNetwork', { address, network_uuid: uuid });
    }
    if (row.instance_uuid !== null) {
      throw networkFault('FixedIpAlreadyInUse', { address, instance_uuid: row.instance_uuid });
    }
  }
  return null;
}
