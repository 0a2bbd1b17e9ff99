import { keyedMutex } from '@folsom/core';
import { fixedIpByAddress, fixedIpById } from '@folsom/nova/fixed-ips';
import {
  floatingIpByAddress,
  floatingIpById,
  floatingIpsOfFixedIp,
  floatingIpsOfProject,
  floatingPools,
} from '@folsom/nova/floating-ips';
import { instanceIdentity } from '@folsom/nova/instance-identity';
import { networkFault } from '@folsom/nova/network-faults';
import {
  allNetworks,
  deleteNetwork,
  disassociateNetwork,
  networkByCidr,
  networkById,
  networkByUuid,
  setNetworkHost,
  updateNetwork,
} from '@folsom/nova/networks';
import { takeNetworkForProject } from '@folsom/nova/project-networks';
import type { networkContract } from '@folsom/nova/rpc/network';
import { interfaceByAddress, interfacesOfInstance } from '@folsom/nova/virtual-interfaces';
import type { Handlers } from '@folsom/rpc';
import {
  type AddressSeam,
  allocateHere,
  deallocateHere,
  leaseFixedIp,
  releaseFixedIp,
  setupNetwork,
  teardownNetwork,
} from './addresses.ts';
import { createNetworks, type NetworkDefaults } from './create-networks.ts';
import { ofNames } from './dns/names.ts';
import {
  allocateFloatingIp,
  associateFloatingIp,
  associateHere,
  deallocateFloatingIp,
  disassociateFloatingIp,
  disassociateHere,
  setupFloatingIps,
} from './floating-ips.ts';
import {
  addFixedIp,
  allocate,
  deallocate,
  removeFixedIp,
  setupOnHost,
  type Turns,
  validateNetworks,
} from './instance-networks.ts';
import { uuidsByIpFilter } from './ip-filter.ts';
import { instanceNetworkInfo } from './network-info-model.ts';

type All = Handlers<typeof networkContract.methods>;

const ofInstances = (seam: AddressSeam, turns: Turns) =>
  ({
    allocate_for_instance: (context, args) => allocate(seam, turns, context, args),
    deallocate_for_instance: (context, args) => deallocate(seam, turns, context, args),
    get_instance_nw_info: async (_context, args) =>
      instanceNetworkInfo(seam.db, args.instance_uuid, args.rxtx_factor, args.host, seam),
    add_fixed_ip_to_instance: (context, args) => addFixedIp(seam, context, args),
    remove_fixed_ip_from_instance: (context, args) => removeFixedIp(seam, context, args),
    validate_networks: (context, args) => validateNetworks(seam, context, args),
    setup_networks_on_host: (context, args) => setupOnHost(seam, context, args),
  }) satisfies Partial<All>;

const ofNetworks = (seam: AddressSeam, defaults: NetworkDefaults) => {
  const { db, world } = seam;
  const now = () => world.clock.now();
  return {
    get_instance_uuids_by_ip_filter: (_context, args) => uuidsByIpFilter(seam, args.filters),
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

    add_network_to_project: async (_context, args) => {
      if (seam.kind !== 'vlan')
        throw networkFault('NotAuthorized', {}, { message: 'Only VlanManager gives networks to projects.' });
      const { project_id, network_uuid } = args;
      if (network_uuid === null) await takeNetworkForProject(db, project_id, now());
      else await updateNetwork(db, (await networkByUuid(db, network_uuid)).id, { project_id }, now());
      return null;
    },

    get_fixed_ip: (_context, args) => fixedIpById(db, args.id),
    get_fixed_ip_by_address: (_context, args) => fixedIpByAddress(db, args.address),
    get_vifs_by_instance: async (_context, args) =>
      interfacesOfInstance(db, (await instanceIdentity(db, args.instance_id)).uuid),
    get_vif_by_mac_address: async (_context, args) =>
      (await interfaceByAddress(db, args.mac_address)) ?? null,
  } satisfies Partial<All>;
};

const ofFloatingIps = (seam: AddressSeam) => {
  const { db } = seam;
  return {
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
    _associate_floating_ip: async (context, args) => {
      await associateHere(seam, context, args);
      return null;
    },
    _disassociate_floating_ip: async (context, args) => {
      await disassociateHere(seam, context, args);
      return null;
    },
  } satisfies Partial<All>;
};

/** What network hosts ask each other, and what DHCP servers tell. */
const ofHosts = (seam: AddressSeam) => {
  const { db, world } = seam;
  const now = () => world.clock.now();
  return {
    set_network_host: (_context, args) => setNetworkHost(db, args.network_ref.id, seam.host, now()),
    _rpc_allocate_fixed_ip: async (context, args) =>
      allocateHere(seam, context, {
        instanceId: args.instance_id,
        network: await networkById(db, args.network_id),
        address: args.address ?? null,
        vpn: args.vpn ?? false,
      }),
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
  } satisfies Partial<All>;
};

/** Everything nova-network answers, as FlatDHCPManager does. */
export const networkHandlers = (
  seam: AddressSeam,
  { autoAssignFloatingIp, ...defaults }: NetworkDefaults & { autoAssignFloatingIp: boolean },
): All => ({
  ...ofInstances(seam, { autoAssignFloatingIp, inTurn: keyedMutex() }),
  ...ofNetworks(seam, defaults),
  ...ofFloatingIps(seam),
  ...ofNames(seam),
  ...ofHosts(seam),
});
