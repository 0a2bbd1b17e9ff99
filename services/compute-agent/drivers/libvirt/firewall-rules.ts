import type { Database } from '@folsom/db';
import type { NetworkInfo } from '@folsom/nova/network-info';
import type { SecurityGroupRuleRow } from '@folsom/nova/security-groups';

/** What stands in the chains of guests, for the packet filters of IPv4 and of IPv6. */

export type Family = 4 | 6;

/** An address as a block of one. */
export const single = (address: string, family: Family): string => `${address}/${family === 4 ? 32 : 128}`;

const familyOf = (cidr: string): Family => (cidr.includes(':') ? 6 : 4);

export const dhcpServers = (network: NetworkInfo): string[] =>
  network.flatMap(vif =>
    (vif.network?.subnets ?? []).flatMap(subnet =>
      subnet.meta.dhcp_server ? [subnet.meta.dhcp_server] : [],
    ),
  );

/** What keeps a network going, whatever a guest's groups say. */
function ofNetwork(network: NetworkInfo, family: Family): string[] {
  if (family === 4)
    return dhcpServers(network).map(
      server => `-s ${server}/32 -p udp -m udp --sport 67 --dport 68 -j ACCEPT`,
    );
  const routers = network.flatMap(vif =>
    (vif.network?.subnets ?? []).flatMap(({ version, gateway }) =>
      version === 6 && gateway?.address ? [gateway.address] : [],
    ),
  );
  return [
    // Neighbours look for each other by ICMPv6, and connection tracking does not know these for answers.
    ...['135', '136'].map(type => `-p ipv6-icmp -m icmp6 --icmpv6-type ${type} -j ACCEPT`),
    ...routers.map(router => `-s ${single(router, 6)} -p ipv6-icmp -j ACCEPT`),
  ];
}

/** The chain of a guest, first match decides. */
export function chainRules(
  network: NetworkInfo,
  own: readonly SecurityGroupRuleRow[],
  members: ReadonlyMap<number, readonly string[]>,
  { family, sameNetwork }: { family: Family; sameNetwork: boolean },
): string[] {
  const out = [
    '-m state --state INVALID -j DROP',
    '-m state --state RELATED,ESTABLISHED -j ACCEPT',
    '-j $provider',
    ...ofNetwork(network, family),
  ];
  if (sameNetwork) {
    for (const vif of network) {
      for (const subnet of vif.network?.subnets ?? []) {
        if (subnet.version === family && subnet.cidr) out.push(`-s ${subnet.cidr} -j ACCEPT`);
      }
    }
  }
  for (const rule of own) {
    // What names no block speaks of IPv4, as in the original.
    const match = familyOf(rule.cidr ?? '') === family ? matchOf(rule, family) : null;
    if (match === null) continue;
    if (rule.cidr) {
      out.push(`-s ${rule.cidr}${match} -j ACCEPT`);
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
function matchOf(
  rule: { protocol: string | null; from_port: number | null; to_port: number | null },
  family: Family,
): string | null {
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
    const name = family === 4 ? 'icmp' : 'ipv6-icmp';
    if (from < 0) return ` -p ${name}`;
    const type = to < 0 ? from : `${from}/${to}`;
    return ` -p ${name} ${family === 4 ? '-m icmp --icmp-type' : '-m icmp6 --icmpv6-type'} ${type}`;
  }
  return /^\d{1,3}$/.test(protocol) ? ` -p ${protocol}` : null;
}

/** Fixed addresses of the living members of groups, in one query. */
export async function addressesOfGroups(
  db: Database,
  groupIds: readonly number[],
): Promise<Map<number, string[]>> {
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
export async function providerRules(db: Database): Promise<Record<Family, string[]>> {
  const rows = (await db.knex('provider_fw_rules').where('deleted', 0).orderBy('id')) as {
    protocol: string;
    from_port: number;
    to_port: number;
    cidr: string;
  }[];
  const out: Record<Family, string[]> = { 4: [], 6: [] };
  for (const row of rows) {
    const family = familyOf(row.cidr);
    const match = matchOf(row, family);
    if (match !== null) out[family].push(`-s ${row.cidr}${match} -j DROP`);
  }
  return out;
}
