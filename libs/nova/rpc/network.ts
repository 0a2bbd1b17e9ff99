import { call, cast, contract } from '@folsom/rpc';
import type { FixedIpRow } from '../fixed-ips.ts';
import type { FloatingIpRow } from '../floating-ips.ts';
import type { NetworkInfo } from '../network-info.ts';
import type { NetworkRow } from '../networks.ts';
import type { VirtualInterfaceRow } from '../virtual-interfaces.ts';

/** `[network uuid, fixed address or null]`; null means every network. */
export type RequestedNetworkList = [string, string | null][] | null;

export interface AllocateForInstance {
  instance_id: number;
  instance_uuid: string;
  project_id: string;
  host: string | null;
  rxtx_factor: number | null;
  requested_networks: RequestedNetworkList;
  vpn: boolean;
}

export interface InstanceNetworkQuery {
  instance_id: number;
  instance_uuid: string;
  rxtx_factor: number | null;
  host: string | null;
  project_id?: string;
}

export interface DeallocateForInstance {
  instance_id: number;
  project_id: string | null;
  host: string | null;
  /** Ours: nothing happens once the instance is another host's. Callers who do not know of it give everything back. */
  only_if_host?: string;
}

/** The same without waiting, for an instance that is deleted in the database alone. */
export const releaseAddresses = contract('network', undefined, {
  deallocate_for_instance: cast<DeallocateForInstance>(),
});

/** Everything nova-network answers. Folsom sends these dictionaries without a version. */
export const networkContract = contract('network', undefined, {
  allocate_for_instance: call<AllocateForInstance, NetworkInfo>(),
  deallocate_for_instance: call<DeallocateForInstance, null>(),
  get_instance_nw_info: call<InstanceNetworkQuery, NetworkInfo>(),
  add_fixed_ip_to_instance: call<
    { instance_id: number; host: string | null; network_id: string | number },
    null
  >(),
  /** `instance_id` is the uuid here, as with the original. */
  remove_fixed_ip_from_instance: call<
    { instance_id: number | string; host: string | null; address: string },
    null
  >(),
  validate_networks: call<{ networks: RequestedNetworkList }, null>(),
  setup_networks_on_host: call<{ instance_id: number; host: string | null; teardown?: boolean }, null>(),
  get_instance_uuids_by_ip_filter: call<
    { filters: Record<string, string> },
    { instance_uuid: string; ip: string }[]
  >(),
  get_all_networks: call<Record<string, never>, NetworkRow[]>(),
  get_network: call<{ network_uuid: string }, NetworkRow>(),
  create_networks: call<CreateNetworks, NetworkRow[]>(),
  delete_network: call<
    { fixed_range: string | null; uuid: string | null; require_disassociated?: boolean },
    null
  >(),
  /** Only under VlanManager: that network, or any that is free. */
  add_network_to_project: call<{ project_id: string; network_uuid: string | null }, null>(),
  disassociate_network: call<{ network_uuid: string }, null>(),
  get_fixed_ip: call<{ id: number }, FixedIpRow>(),
  get_fixed_ip_by_address: call<{ address: string }, FixedIpRow>(),
  get_vifs_by_instance: call<{ instance_id: number }, VirtualInterfaceRow[]>(),
  get_vif_by_mac_address: call<{ mac_address: string }, VirtualInterfaceRow | null>(),

  get_floating_ip: call<{ id: number }, FloatingIpRow>(),
  get_floating_ip_by_address: call<{ address: string }, FloatingIpRow>(),
  get_floating_ips_by_project: call<Record<string, never>, FloatingIpRow[]>(),
  get_floating_ips_by_fixed_address: call<{ fixed_address: string }, string[]>(),
  get_floating_pools: call<Record<string, never>, { name: string }[]>(),
  get_instance_id_by_floating_address: call<{ address: string }, string | null>(),
  allocate_floating_ip: call<{ project_id: string; auto_assigned?: boolean; pool?: string | null }, string>(),
  deallocate_floating_ip: call<{ address: string; affect_auto_assigned?: boolean }, null>(),
  associate_floating_ip: call<
    { floating_address: string; fixed_address: string; affect_auto_assigned?: boolean },
    string | null
  >(),
  disassociate_floating_ip: call<{ address: string; affect_auto_assigned?: boolean }, null>(),

  get_dns_domains: call<Record<string, never>, DnsDomain[]>(),
  create_private_dns_domain: call<{ domain: string; av_zone: string | null }, null>(),
  create_public_dns_domain: call<{ domain: string; project: string | null }, null>(),
  delete_dns_domain: call<{ domain: string }, null>(),
  add_dns_entry: call<{ address: string; name: string; dns_type: string; domain: string }, null>(),
  modify_dns_entry: call<{ name: string; address: string; domain: string }, null>(),
  delete_dns_entry: call<{ name: string; domain: string }, null>(),
  get_dns_entries_by_address: call<{ address: string; domain: string }, string[]>(),
  /** An original with LDAP answers null for a name that is not there. */
  get_dns_entries_by_name: call<{ name: string; domain: string }, string[] | null>(),

  /** Between network hosts, and from nova-dhcpbridge. */
  set_network_host: call<{ network_ref: { id: number } }, string>(),
  _rpc_allocate_fixed_ip: call<
    { instance_id: number; network_id: number; address: string | null; vpn: boolean },
    string
  >(),
  deallocate_fixed_ip: call<{ address: string; host: string | null; teardown?: boolean }, null>(),
  rpc_setup_network_on_host: call<{ network_id: number; teardown: boolean }, null>(),
  _associate_floating_ip: call<
    { floating_address: string; fixed_address: string; interface: string | null },
    null
  >(),
  _disassociate_floating_ip: call<{ address: string; interface: string | null }, null>(),
  lease_fixed_ip: call<{ address: string }, null>(),
  release_fixed_ip: call<{ address: string }, null>(),
});

/** A domain that names can be entered in: a private one is of a zone's instances, a public one of a project or everybody. */
export interface DnsDomain {
  domain: string;
  scope: string | null;
  project?: string | null;
  availability_zone?: string | null;
}

/** What creates networks; numbers may come as texts from old callers. */
export interface CreateNetworks {
  label: string;
  cidr?: string | null;
  multi_host?: boolean | string | null;
  num_networks?: number | string | null;
  network_size?: number | string | null;
  cidr_v6?: string | null;
  gateway?: string | null;
  gateway_v6?: string | null;
  bridge?: string | null;
  bridge_interface?: string | null;
  dns1?: string | null;
  dns2?: string | null;
  fixed_cidr?: string | null;
  project_id?: string | null;
  priority?: number | string | null;
  /** VlanManager: number of the first network's VLAN, and port of the first VPN. */
  vlan_start?: number | string | null;
  vpn_start?: number | string | null;
  uuid?: string | null;
}
