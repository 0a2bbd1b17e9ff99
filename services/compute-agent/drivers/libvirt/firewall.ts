import { coalesced, type Logger } from '@folsom/core';
import type { Database } from '@folsom/db';
import { type Iptables, iptables } from '@folsom/host/iptables';
import type { Runner } from '@folsom/host/runner';
import { fixedIpsOf, type NetworkInfo, parseNetworkInfo } from '@folsom/nova/network-info';
import { groupsOfInstances, rulesOfGroups } from '@folsom/nova/security-groups';
import type { ComputeDriver, Guest } from '../../driver.ts';
import { bridgedHere } from './bridged.ts';
import {
  addressesOfGroups,
  chainRules,
  dhcpServers,
  type Family,
  providerRules,
  single,
} from './firewall-rules.ts';

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
  /** Whether guests may have IPv6, and chains for it (use_ipv6). */
  ipv6?: boolean;
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

/** Our part of one of the host's packet filters. */
interface Wall {
  family: Family;
  rules: Iptables;
}

/** Our parts of the host's packet filters, with what they have when there is no guest. */
const emptyWalls = ({ runner, lockPath, ipv6 }: FirewallOptions): Wall[] =>
  (ipv6 ? ([4, 6] as const) : ([4] as const)).map(family => {
    const place = lockPath === undefined ? {} : { lockPath };
    const rules = iptables({ runner, binary: 'nova-compute', family, ...place });
    rules.addChain('filter', 'sg-fallback');
    rules.setRules('filter', 'sg-fallback', ['-j DROP']);
    rules.addChain('filter', 'provider');
    return { family, rules };
  });

const apply = async (walls: readonly Wall[]): Promise<void> => {
  for (const { rules } of walls) await rules.apply();
};

/** One sentence a difference, those of IPv6 marked. */
async function differencesOf(walls: readonly Wall[]): Promise<string[]> {
  const found: string[] = [];
  for (const { family, rules } of walls)
    found.push(...(await rules.differences()).map(text => (family === 4 ? text : `IPv6: ${text}`)));
  return found;
}

const DHCP = '-s 0.0.0.0/32 -d 255.255.255.255/32 -p udp -m udp --sport 68 --dport 67 -j ACCEPT';

export function firewall(options: FirewallOptions): Firewall {
  const walls = emptyWalls(options);
  const guests = new Map<string, FilteredGuest>();
  const whole = coalesced(() => rebuild([...guests.values()]));

  /** Writes chains of guests into a model, as the rows have them. */
  const describe = async (
    models: readonly Wall[],
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
      for (const { family, rules } of models) {
        const about = { family, sameNetwork: options.allowSameNetTraffic };
        rules.removeChain('filter', chain);
        rules.addChain('filter', chain);
        rules.setRules('filter', chain, chainRules(guest.network, own, members, about));
        for (const ip of fixedIpsOf(guest.network)) {
          if (ip.version === family && ip.address)
            rules.addRule('filter', 'local', `-d ${single(ip.address, family)} -j $${chain}`);
        }
      }
    }
    for (const { family, rules } of models) rules.setRules('filter', 'provider', provider[family]);
  };

  const rebuild = async (changed: readonly FilteredGuest[]): Promise<void> => {
    // A guest may have gone, or been described anew, while the rows were read.
    await describe(walls, changed, guest => guests.get(guest.uuid) === guest);
    passGuests(walls, [...guests.values()]);
    await apply(walls);
  };

  const forget = (guest: { id: number; uuid: string }): void => {
    guests.delete(guest.uuid);
    for (const { rules } of walls) rules.removeChain('filter', `inst-${guest.id}`);
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
      passGuests(walls, [...guests.values()]);
      await apply(walls);
    },
    refresh: async uuids => {
      if (uuids === null) return whole();
      const wanted = uuids.flatMap(uuid => guests.get(uuid) ?? []);
      if (wanted.length > 0) await rebuild(wanted);
    },
    compare: async ({ settled, others }) => {
      const said = emptyWalls(options);
      await describe(said, settled, () => true);
      passGuests(said, settled);
      const differences = await differencesOf(said);
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
    removeAll: async () => {
      for (const { rules } of walls) await rules.removeAll();
    },
  };
}

/** Lets guests ask for an address, where there are servers, and lets pass what goes over the bridges that this host made for them. */
function passGuests(walls: readonly Wall[], guests: readonly FilteredGuest[]): void {
  const dhcp = guests.some(guest => dhcpServers(guest.network).length > 0) ? [DHCP] : [];
  const bridges = new Set(guests.flatMap(guest => bridgedHere(guest.network).map(network => network.bridge)));
  const over = [...bridges]
    .toSorted()
    .flatMap(bridge => [`-i ${bridge} -j ACCEPT`, `-o ${bridge} -j ACCEPT`]);
  for (const { family, rules } of walls) {
    const first = family === 4 ? dhcp : [];
    rules.setRules('filter', 'INPUT', first);
    rules.setRules('filter', 'FORWARD', [...first, ...over]);
  }
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
