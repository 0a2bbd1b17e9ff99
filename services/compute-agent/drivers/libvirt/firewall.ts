import { coalesced, type Logger } from '@folsom/core';
import type { Database } from '@folsom/db';
import { type Iptables, iptables } from '@folsom/host/iptables';
import type { Runner } from '@folsom/host/runner';
import { fixedIpsOf, type NetworkInfo, parseNetworkInfo } from '@folsom/nova/network-info';
import { groupsOfInstances, rulesOfGroups, type SecurityGroupRuleRow } from '@folsom/nova/security-groups';
import type { ComputeDriver, Guest } from '../../driver.ts';
import { bridgedHere } from './bridged.ts';

/** The guest as the firewall knows it. */
export interface FilteredGuest {
  id: number;
  uuid: string;
  network: NetworkInfo;
}

/** A guest as the firewall knows it, from its row. */
export const filtered = (guest: Guest): FilteredGuest => ({
  id: guest.id,
  uuid: guest.uuid,
  network: parseNetworkInfo(guest.info_cache?.network_info),
});

/** All guests of a host. */
export interface HostGuests {
  /** Those that must have their chains. */
  settled: readonly FilteredGuest[];
  /** Those that are coming, going or broken, and may have some. */
  others: readonly { id: number; uuid: string }[];
}

/**
 * Security groups as iptables chains, one a guest: what is not allowed by a rule does not reach it. Chains of guests
 * of this host are rebuilt from the database whenever a rule or a member changes, while the guests run.
 */
export interface Firewall {
  /** At start: the chains of all guests at once, so that none is without its own for a moment; others' leftovers go. */
  adopt(guests: readonly FilteredGuest[]): Promise<void>;
  /** Adds or renews a guest's chain. */
  add(guest: FilteredGuest): Promise<void>;
  remove(guest: { id: number; uuid: string }): Promise<void>;
  /** Renews the chains of these guests, of all when null. */
  refresh(uuids: readonly string[] | null): Promise<void>;
  /** What the host has against what the rows say; one sentence a difference. Nothing is changed. */
  compare(host: HostGuests): Promise<string[]>;
  /** Makes the host have what the rows say. */
  repair(host: HostGuests): Promise<void>;
  removeAll(): Promise<void>;
}

export interface FirewallOptions {
  db: Database;
  runner: Runner;
  log: Logger;
  /** Guests of one network reach each other whatever their groups say. */
  allowSameNetTraffic: boolean;
  /** Directory of the locks that daemons of one host share. */
  lockPath?: string;
}

/** NoopFirewallDriver: what reaches a guest is somebody else's business. */
export const noFirewall: Firewall = {
  adopt: async () => {},
  add: async () => {},
  remove: async () => {},
  refresh: async () => {},
  compare: async () => [],
  repair: async () => {},
  removeAll: async () => {},
};

/** Whether `firewall_driver` wants guests filtered. @throws for a class that is neither of the two */
export function filtersGuests(driver: string | null): boolean {
  if (driver === null || /^nova\.virt\.(libvirt\.)?firewall\.IptablesFirewallDriver$/.test(driver))
    return true;
  if (/^nova\.virt\.firewall\.NoopFirewallDriver$/.test(driver)) return false;
  throw new Error(
    `firewall_driver ${driver} is not supported: use nova.virt.libvirt.firewall.IptablesFirewallDriver or nova.virt.firewall.NoopFirewallDriver`,
  );
}

/** Our part of the host's packet filter, with what it has when there is no guest. */
function emptyRules({ runner, lockPath }: FirewallOptions): Iptables {
  const rules = iptables({ runner, binary: 'nova-compute', ...(lockPath === undefined ? {} : { lockPath }) });
  rules.addChain('filter', 'sg-fallback');
  rules.setRules('filter', 'sg-fallback', ['-j DROP']);
  rules.addChain('filter', 'provider');
  return rules;
}

const DHCP = '-s 0.0.0.0/32 -d 255.255.255.255/32 -p udp -m udp --sport 68 --dport 67 -j ACCEPT';

export function firewall(options: FirewallOptions): Firewall {
  const rules = emptyRules(options);
  const guests = new Map<string, FilteredGuest>();
  const whole = coalesced(() => rebuild([...guests.values()]));

  /** Writes chains of guests into a model, as the rows have them. */
  const describe = async (
    model: Iptables,
    changed: readonly FilteredGuest[],
    wanted: (guest: FilteredGuest) => boolean,
  ): Promise<void> => {
    const groups = await groupsOfInstances(
      options.db.knex,
      changed.map(guest => guest.uuid),
    );
    const groupIds = [...new Set([...groups.values()].flat().map(group => group.id))];
    const allRules = await rulesOfGroups(options.db.knex, groupIds);
    const granted = [...allRules.values()]
      .flat()
      .flatMap(rule => (rule.group_id === null ? [] : [rule.group_id]));
    const members = await addressesOfGroups(options.db, [...new Set(granted)]);
    const provider = await providerRules(options.db);
    for (const guest of changed) {
      if (!wanted(guest)) continue;
      const own = (groups.get(guest.uuid) ?? []).flatMap(group => allRules.get(group.id) ?? []);
      const chain = `inst-${guest.id}`;
      model.removeChain('filter', chain);
      model.addChain('filter', chain);
      model.setRules('filter', chain, chainRules(guest.network, own, members, options.allowSameNetTraffic));
      for (const ip of fixedIpsOf(guest.network)) {
        if (ip.version === 4 && ip.address)
          model.addRule('filter', 'local', `-d ${ip.address}/32 -j $${chain}`);
      }
    }
    model.setRules('filter', 'provider', provider);
  };

  const rebuild = async (changed: readonly FilteredGuest[]): Promise<void> => {
    // A guest may have gone, or been described anew, while the rows were read.
    await describe(rules, changed, guest => guests.get(guest.uuid) === guest);
    passGuests(rules, [...guests.values()]);
    await rules.apply();
  };

  const forget = (guest: { id: number; uuid: string }): void => {
    guests.delete(guest.uuid);
    rules.removeChain('filter', `inst-${guest.id}`);
  };

  return {
    adopt: async present => {
      for (const guest of present) guests.set(guest.uuid, guest);
      await rebuild(present);
    },
    add: async guest => {
      guests.set(guest.uuid, guest);
      await rebuild([guest]);
    },
    remove: async guest => {
      forget(guest);
      passGuests(rules, [...guests.values()]);
      await rules.apply();
    },
    refresh: async uuids => {
      if (uuids === null) return whole();
      const wanted = uuids.flatMap(uuid => guests.get(uuid) ?? []);
      if (wanted.length > 0) await rebuild(wanted);
    },
    compare: async ({ settled, others }) => {
      const said = emptyRules(options);
      await describe(said, settled, () => true);
      passGuests(said, settled);
      const differences = await said.differences();
      if (others.length === 0) return differences;
      // Nothing is said of what may be there or not, and of what is there for its sake.
      const doubtful = new RegExp(
        `inst-(${others.map(guest => guest.id).join('|')})(?!\\d)|--sport 68|FORWARD .*: -[io] \\S+ -j ACCEPT$`,
      );
      return differences.filter(text => !doubtful.test(text));
    },
    repair: async ({ settled, others }) => {
      const known = new Set([...settled, ...others].map(guest => guest.uuid));
      for (const guest of [...guests.values()]) if (!known.has(guest.uuid)) forget(guest);
      for (const guest of settled) guests.set(guest.uuid, guest);
      await rebuild(settled);
    },
    removeAll: () => rules.removeAll(),
  };
}

/** Lets guests ask for an address, where there are servers, and lets pass what goes over the bridges that this host made for them. */
function passGuests(model: Iptables, guests: readonly FilteredGuest[]): void {
  const dhcp = guests.some(guest => dhcpServers(guest.network).length > 0) ? [DHCP] : [];
  const bridges = new Set(guests.flatMap(guest => bridgedHere(guest.network).map(network => network.bridge)));
  model.setRules('filter', 'INPUT', dhcp);
  model.setRules('filter', 'FORWARD', [
    ...dhcp,
    ...[...bridges].toSorted().flatMap(bridge => [`-i ${bridge} -j ACCEPT`, `-o ${bridge} -j ACCEPT`]),
  ]);
}

const dhcpServers = (network: NetworkInfo): string[] =>
  network.flatMap(vif =>
    (vif.network?.subnets ?? []).flatMap(subnet =>
      subnet.meta.dhcp_server ? [subnet.meta.dhcp_server] : [],
    ),
  );

/** The chain of a guest, first match decides. */
function chainRules(
  network: NetworkInfo,
  own: readonly SecurityGroupRuleRow[],
  members: ReadonlyMap<number, readonly string[]>,
  sameNetwork: boolean,
): string[] {
  const out = [
    '-m state --state INVALID -j DROP',
    '-m state --state RELATED,ESTABLISHED -j ACCEPT',
    '-j $provider',
    ...dhcpServers(network).map(server => `-s ${server}/32 -p udp -m udp --sport 67 --dport 68 -j ACCEPT`),
  ];
  if (sameNetwork) {
    for (const vif of network) {
      for (const subnet of vif.network?.subnets ?? []) {
        if (subnet.version === 4 && subnet.cidr) out.push(`-s ${subnet.cidr} -j ACCEPT`);
      }
    }
  }
  for (const rule of own) {
    const match = matchOf(rule);
    if (match === null) continue;
    if (rule.cidr) {
      if (!rule.cidr.includes(':')) out.push(`-s ${rule.cidr}${match} -j ACCEPT`);
    } else if (rule.group_id !== null) {
      for (const address of members.get(rule.group_id) ?? []) out.push(`-s ${address}/32${match} -j ACCEPT`);
    } else {
      out.push(`${match.trim()} -j ACCEPT`.trim());
    }
  }
  out.push('-j $sg-fallback');
  return [...new Set(out)];
}

/** ` -p tcp -m tcp --dport 22`; null for a rule that cannot be written. */
function matchOf(rule: {
  protocol: string | null;
  from_port: number | null;
  to_port: number | null;
}): string | null {
  const protocol = rule.protocol?.toLowerCase() ?? '';
  const from = rule.from_port ?? -1;
  const to = rule.to_port ?? -1;
  if (protocol === '' || protocol === '-1' || protocol === 'all') return '';
  if (protocol === 'tcp' || protocol === 'udp') {
    if (from < 0) return ` -p ${protocol}`;
    const ports = from === to ? `${from}` : `${from}:${to}`;
    return ` -p ${protocol} -m ${protocol} --dport ${ports}`;
  }
  if (protocol === 'icmp') {
    if (from < 0) return ' -p icmp';
    return ` -p icmp -m icmp --icmp-type ${to < 0 ? from : `${from}/${to}`}`;
  }
  return /^\d{1,3}$/.test(protocol) ? ` -p ${protocol}` : null;
}

/** Fixed addresses of the living members of groups, in one query. */
async function addressesOfGroups(db: Database, groupIds: readonly number[]): Promise<Map<number, string[]>> {
  const found = new Map<number, string[]>();
  if (groupIds.length === 0) return found;
  const rows = (await db
    .knex('security_group_instance_association as link')
    .join('fixed_ips', 'fixed_ips.instance_uuid', 'link.instance_uuid')
    .whereIn('link.security_group_id', [...groupIds])
    .where({ 'link.deleted': 0, 'fixed_ips.deleted': 0, 'fixed_ips.allocated': 1 })
    .orderBy('fixed_ips.id')
    .select('link.security_group_id as id', 'fixed_ips.address as address')) as {
    id: number;
    address: string;
  }[];
  for (const row of rows) found.set(row.id, [...(found.get(row.id) ?? []), row.address]);
  return found;
}

/** What the operator refuses for every guest. */
async function providerRules(db: Database): Promise<string[]> {
  const rows = (await db.knex('provider_fw_rules').where('deleted', 0).orderBy('id')) as {
    protocol: string;
    from_port: number;
    to_port: number;
    cidr: string;
  }[];
  return rows.flatMap(row => {
    const match = matchOf(row);
    return match === null || row.cidr.includes(':') ? [] : [`-s ${row.cidr}${match} -j DROP`];
  });
}

/** What a driver has to do for the packet filter of its guests. */
export const filterDuties = (
  walls: Firewall,
): Pick<ComputeDriver, 'plug' | 'refreshFirewall' | 'checkFirewall'> => ({
  plug: (guest, network) => walls.add({ id: guest.id, uuid: guest.uuid, network }),
  refreshFirewall: uuids => walls.refresh(uuids),
  async checkFirewall({ settled, others }, repair) {
    const guests = { settled: settled.map(filtered), others };
    const found = await walls.compare(guests);
    if (repair && found.length > 0) await walls.repair(guests);
    return found;
  },
});
