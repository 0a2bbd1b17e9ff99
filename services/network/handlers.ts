import { elevated, keyedMutex, type RequestContext } from '@folsom/core';
import { novaFault } from '@folsom/nova/faults';
import { fixedIpByAddress, fixedIpById, fixedIpsOfInstance } from '@folsom/nova/fixed-ips';
import {
  floatingIpByAddress,
  floatingIpById,
  floatingIpsOfFixedIp,
  floatingIpsOfProject,
  floatingPools,
} from '@folsom/nova/floating-ips';
import { instanceIdentity } from '@folsom/nova/instance-identity';
import { parseIpv4 } from '@folsom/nova/ipv4';
import { networkFault } from '@folsom/nova/network-faults';
import {
  allNetworks,
  deleteNetwork,
  disassociateNetwork,
  type NetworkRow,
  networkByCidr,
  networkById,
  networkByUuid,
  networksByUuids,
  setNetworkHost,
} from '@folsom/nova/networks';
import type { networkContract, RequestedNetworkList } from '@folsom/nova/rpc/network';
import {
  createVirtualInterface,
  deleteInterfacesOfInstance,
  interfaceByAddress,
  interfacesOfInstance,
} from '@folsom/nova/virtual-interfaces';
import type { Handlers } from '@folsom/rpc';
import {
  type AddressSeam,
  allocateFixedIp,
  allocateHere,
  deallocateAddress,
  deallocateAll,
  deallocateHere,
  leaseFixedIp,
  releaseFixedIp,
  setupNetwork,
  teardownNetwork,
} from './addresses.ts';
import { createNetworks, type NetworkDefaults } from './create-networks.ts';
import {
  allocateFloatingIp,
  associateFloatingIp,
  associateHere,
  deallocateFloatingIp,
  disassociateFloatingIp,
  disassociateHere,
  releaseFloatingIpsOf,
  setupFloatingIps,
} from './floating-ips.ts';
import { uuidsByIpFilter } from './ip-filter.ts';
import { instanceNetworkInfo } from './network-info-model.ts';

/** Everything nova-network answers, as FlatDHCPManager does. */
export function networkHandlers(
  seam: AddressSeam,
  defaults: NetworkDefaults & { autoAssignFloatingIp: boolean },
): Handlers<typeof networkContract.methods> {
  const { db, world } = seam;
  const now = () => world.clock.now();
  /** The bus may bring a message twice: what changes an instance's cards and addresses goes one by one. */
  const inTurn = keyedMutex();

  const networksFor = async (requested: RequestedNetworkList): Promise<NetworkRow[]> => {
    const networks =
      requested !== null && requested.length > 0
        ? await networksByUuids(
            db,
            requested.map(([uuid]) => uuid),
            null,
          )
        : await allNetworks(db);
    return networks.filter(network => !network.vlan);
  };

  const onHost = async (
    context: RequestContext,
    args: { instance_id: number; host: string | null; teardown?: boolean },
  ): Promise<null> => {
    const instance = await instanceIdentity(db, args.instance_id);
    for (const card of await interfacesOfInstance(db, instance.uuid)) {
      if (card.network_id === null) continue;
      const network = await networkById(db, card.network_id);
      const host = network.multi_host ? args.host : network.host;
      const teardown = args.teardown ?? false;
      if (host === null || host === seam.host)
        await (teardown ? teardownNetwork : setupNetwork)(seam, network);
      else
        await seam.client.rpc_setup_network_on_host(context, { network_id: network.id, teardown }, { host });
    }
    // An instance that moved took its floating addresses along.
    await setupFloatingIps(seam);
    return null;
  };

  /** Where the configuration asks for it, an instance comes with a floating address of its own. */
  const assignFloatingIp = async (
    context: RequestContext,
    args: { instance_uuid: string; project_id: string },
  ): Promise<void> => {
    const [fixed] = await fixedIpsOfInstance(db, args.instance_uuid);
    if (fixed === undefined || (await floatingIpsOfFixedIp(db, fixed.id)).length > 0) return;
    const { project_id } = args;
    const floating_address = await allocateFloatingIp(seam, context, { project_id, auto_assigned: true });
    const binding = { floating_address, fixed_address: fixed.address, affect_auto_assigned: true };
    await associateFloatingIp(seam, context, binding);
  };

  return {
    allocate_for_instance: (context, args) =>
      inTurn(args.instance_uuid, async () => {
        const admin = elevated(context);
        // A message that arrives late: its instance has given everything back already.
        const instance = await instanceIdentity(db, args.instance_uuid);
        const moved = args.host !== null && instance.host !== null && instance.host !== args.host;
        if (instance.deleted || moved)
          throw novaFault('InstanceNotFound', { instance_id: args.instance_uuid });
        const networks = await networksFor(args.requested_networks ?? null);
        const cards = await interfacesOfInstance(db, args.instance_uuid);
        const held = await fixedIpsOfInstance(db, args.instance_uuid);
        const given: string[] = [];
        try {
          for (const network of networks) {
            // A build that is tried again, or told twice, keeps the card and the address it was given.
            if (!cards.some(card => card.network_id === network.id)) {
              const card = { instanceUuid: args.instance_uuid, networkId: network.id };
              await createVirtualInterface(db, card, { random: world.random, now: now() });
            }
            const wanted =
              (args.requested_networks ?? []).find(([uuid]) => uuid === network.uuid)?.[1] || null;
            const has = held.some(
              row =>
                row.allocated && row.network_id === network.id && (wanted === null || row.address === wanted),
            );
            if (has) continue;
            given.push(
              await allocateFixedIp(seam, admin, {
                instanceId: args.instance_id,
                instanceHost: args.host,
                network,
                address: wanted,
              }),
            );
          }
        } catch (error) {
          // What was given before the failure is taken back: nothing half made stays.
          for (const address of given) {
            await deallocateAddress(seam, admin, address, args.host).catch(undo =>
              seam.log.error('cannot take an address back', {
                instance: args.instance_uuid,
                address,
                error: undo,
              }),
            );
          }
          if (cards.length === 0) await deleteInterfacesOfInstance(db, args.instance_uuid);
          throw error;
        }
        if (defaults.autoAssignFloatingIp) await assignFloatingIp(admin, args);
        return instanceNetworkInfo(db, args.instance_uuid, args.rxtx_factor, args.host);
      }),

    deallocate_for_instance: async (context, args) => {
      const instance = await instanceIdentity(db, args.instance_id);
      return inTurn(instance.uuid, async () => {
        // Whose it was may not give away what another host's guest runs with.
        const { host: owner, deleted } = await instanceIdentity(db, instance.uuid);
        const mine = args.only_if_host;
        if (mine !== undefined && owner !== null && owner !== mine && !deleted) {
          seam.log.info("addresses of an instance are another host's by now", {
            instance: instance.uuid,
            host: mine,
          });
          return null;
        }
        for (const row of await fixedIpsOfInstance(db, instance.uuid)) {
          await releaseFloatingIpsOf(seam, elevated(context), row.id);
        }
        await deallocateAll(seam, elevated(context), instance.uuid, args.host ?? instance.host);
        await deleteInterfacesOfInstance(db, instance.uuid);
        return null;
      });
    },

    get_instance_nw_info: async (_context, args) =>
      instanceNetworkInfo(db, args.instance_uuid, args.rxtx_factor, args.host),

    add_fixed_ip_to_instance: async (context, args) => {
      const numeric = typeof args.network_id === 'number' || /^\d+$/.test(args.network_id);
      const network = numeric
        ? await networkById(db, Number(args.network_id))
        : await networkByUuid(db, String(args.network_id));
      const instance = await instanceIdentity(db, args.instance_id);
      const cards = await interfacesOfInstance(db, instance.uuid);
      if (!cards.some(card => card.network_id === network.id)) {
        const card = { instanceUuid: instance.uuid, networkId: network.id };
        await createVirtualInterface(db, card, { random: world.random, now: now() });
      }
      await allocateFixedIp(seam, elevated(context), {
        instanceId: args.instance_id,
        instanceHost: args.host,
        network,
        address: null,
      });
      return null;
    },

    remove_fixed_ip_from_instance: async (context, args) => {
      const instance = await instanceIdentity(db, args.instance_id);
      const mine = (await fixedIpsOfInstance(db, instance.uuid)).find(row => row.address === args.address);
      if (mine === undefined) {
        throw networkFault('FixedIpNotFoundForSpecificInstance', {
          instance_uuid: instance.uuid,
          ip: args.address,
        });
      }
      await deallocateAddress(seam, elevated(context), args.address, args.host);
      return null;
    },

    validate_networks: async (context, args) => {
      const requested = args.networks;
      if (requested === null || requested.length === 0) return null;
      await networksByUuids(
        db,
        requested.map(([uuid]) => uuid),
        context.isAdmin ? null : context.projectId,
      );
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
    },

    setup_networks_on_host: onHost,
    get_instance_uuids_by_ip_filter: (_context, args) => uuidsByIpFilter(db, args.filters),
    get_all_networks: () => allNetworks(db),
    get_network: (_context, args) => networkByUuid(db, args.network_uuid),
    create_networks: (_context, args) =>
      createNetworks({ db, random: world.random, now: now() }, args, defaults),

    delete_network: async (_context, args) => {
      const network = args.uuid
        ? await networkByUuid(db, args.uuid)
        : await networkByCidr(db, args.fixed_range ?? '');
      if ((args.require_disassociated ?? true) && network.project_id !== null) {
        throw networkFault(
          'NetworkInUse',
          { network_id: network.id },
          {
            message: `Network must be disassociated from project ${network.project_id} before delete`,
          },
        );
      }
      await deleteNetwork(db, network.id, now());
      if (network.host === seam.host || network.host === null) await seam.networkHost.forget(network);
      return null;
    },

    disassociate_network: async (_context, args) => {
      await disassociateNetwork(db, (await networkByUuid(db, args.network_uuid)).id, now());
      return null;
    },

    get_fixed_ip: (_context, args) => fixedIpById(db, args.id),
    get_fixed_ip_by_address: (_context, args) => fixedIpByAddress(db, args.address),
    get_vifs_by_instance: async (_context, args) =>
      interfacesOfInstance(db, (await instanceIdentity(db, args.instance_id)).uuid),
    get_vif_by_mac_address: async (_context, args) =>
      (await interfaceByAddress(db, args.mac_address)) ?? null,

    get_floating_ip: (_context, args) => floatingIpById(db, args.id),
    get_floating_ip_by_address: (_context, args) => floatingIpByAddress(db, args.address),
    get_floating_ips_by_project: async context => floatingIpsOfProject(db, context.projectId ?? ''),
    get_floating_ips_by_fixed_address: async (_context, args) => {
      const fixed = await fixedIpByAddress(db, args.fixed_address);
      return (await floatingIpsOfFixedIp(db, fixed.id)).map(row => row.address);
    },
    get_floating_pools: () => floatingPools(db),
    get_instance_id_by_floating_address: async (_context, args) => {
      const { fixed_ip_id } = await floatingIpByAddress(db, args.address);
      return fixed_ip_id === null ? null : (await fixedIpById(db, fixed_ip_id)).instance_uuid;
    },
    allocate_floating_ip: (context, args) => allocateFloatingIp(seam, context, args),
    deallocate_floating_ip: async (context, args) => {
      await deallocateFloatingIp(seam, context, args);
      return null;
    },
    associate_floating_ip: (context, args) => associateFloatingIp(seam, context, args),
    disassociate_floating_ip: async (context, args) => {
      await disassociateFloatingIp(seam, context, args);
      return null;
    },
    _associate_floating_ip: async (_context, args) => {
      await associateHere(seam, args);
      return null;
    },
    _disassociate_floating_ip: async (_context, args) => {
      await disassociateHere(seam, args);
      return null;
    },

    set_network_host: (_context, args) => setNetworkHost(db, args.network_ref.id, seam.host, now()),
    _rpc_allocate_fixed_ip: async (context, args) =>
      allocateHere(
        seam,
        context,
        args.instance_id,
        await networkById(db, args.network_id),
        args.address ?? null,
      ),
    deallocate_fixed_ip: async (context, args) => {
      await deallocateHere(seam, context, args.address, args.teardown ?? true);
      return null;
    },
    rpc_setup_network_on_host: async (_context, args) => {
      const network = await networkById(db, args.network_id);
      await (args.teardown ? teardownNetwork : setupNetwork)(seam, network);
      await setupFloatingIps(seam);
      return null;
    },
    lease_fixed_ip: async (_context, args) => {
      await leaseFixedIp(seam, args.address);
      return null;
    },
    release_fixed_ip: async (_context, args) => {
      await releaseFixedIp(seam, args.address);
      return null;
    },
  };
}
