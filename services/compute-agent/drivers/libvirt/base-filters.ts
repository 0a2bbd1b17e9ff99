import { linkLocalV6 } from '@folsom/nova/ipv6';
import type { NetworkInfo } from '@folsom/nova/network-info';
import { xmlText } from './disk-xml.ts';

/** Filters of libvirt that every card of a guest has: it speaks with its own addresses alone. */

const filter = (name: string, uuid: string, rules: string): string => `<filter name='${name}' chain='root'>
  <uuid>${uuid}</uuid>
${rules}
  <rule action='drop' direction='inout' priority='500'><mac protocolid='ipv6'/></rule>
  <filterref filter='no-mac-spoofing'/>
  <filterref filter='no-ip-spoofing'/>
  <filterref filter='no-arp-spoofing'/>
  <filterref filter='allow-dhcp-server'/>
</filter>`;

const BASE_FILTER = 'nova-base';
const BASE_FILTER_V6 = 'nova-base-ipv6';

/**
 * Of a card without an address of IPv6, and of all where use_ipv6 is off: no group speaks of one, and on their bridge guests would reach
 * each other by the addresses that every kernel gives itself.
 */
const NOVA_BASE = filter(BASE_FILTER, '26717364-50cf-42d1-8185-29bf893ab110', '');

const ruleV6 = (
  action: 'accept' | 'drop',
  direction: 'in' | 'out',
  priority: number,
  match: string,
): string =>
  `  <rule action='${action}' direction='${direction}' priority='${priority}'><ipv6 ${match}/></rule>`;

/**
 * Of a card with addresses of IPv6. The packet filter knows a guest by these, so what goes to or comes from another one of its is not let
 * through: the address of its link is for finding neighbours and the router alone. A guest is nobody's router.
 */
const NOVA_BASE_V6 = filter(
  BASE_FILTER_V6,
  '4a2bfb6e-0b3e-4d1c-9a57-6a1f0c5d7e26',
  [
    ruleV6('drop', 'out', 100, "protocol='icmpv6' type='134'"),
    ruleV6('drop', 'out', 100, "protocol='icmpv6' type='137'"),
    ruleV6('accept', 'out', 110, "srcipaddr='$IPV6'"),
    ruleV6('accept', 'out', 110, "srcipaddr='$LINKLOCAL' protocol='icmpv6'"),
    // A guest that has no address yet asks whether anybody has the one it wants.
    ruleV6('accept', 'out', 110, "srcipaddr='::' srcipmask='128' protocol='icmpv6'"),
    ruleV6('accept', 'in', 110, "dstipaddr='$IPV6'"),
    ruleV6('accept', 'in', 110, "dstipaddr='$LINKLOCAL' protocol='icmpv6' type='133' typeend='136'"),
    ruleV6(
      'accept',
      'in',
      110,
      "dstipaddr='ff02::' dstipmask='16' protocol='icmpv6' type='130' typeend='136'",
    ),
  ].join('\n'),
);

/** What libvirt must know before a guest is started. */
export const baseFilters = (ipv6: boolean): string[] => [NOVA_BASE, ...(ipv6 ? [NOVA_BASE_V6] : [])];

const parameter = (name: string, value: string): string =>
  `<parameter name='${name}' value='${xmlText(value)}'/>`;

/** The filter of a card with its addresses; none for a card without any. */
export function filterReference(vif: NetworkInfo[number], ipv6: boolean): string {
  const subnets = vif.network?.subnets ?? [];
  const addresses = (version: number) =>
    subnets.flatMap(({ ips }) =>
      ips.flatMap(ip => (ip.version === version && ip.address ? [ip.address] : [])),
    );
  const [own, ownV6] = [addresses(4), ipv6 ? addresses(6) : []];
  if (own.length === 0) return '';
  const dhcp = subnets.find(subnet => subnet.version === 4)?.meta.dhcp_server;
  const parameters = [
    ...own.map(address => parameter('IP', address)),
    ...(dhcp ? [parameter('DHCPSERVER', dhcp)] : []),
    ...ownV6.map(address => parameter('IPV6', address)),
    ...(ownV6.length > 0 ? [parameter('LINKLOCAL', linkLocalV6(vif.address))] : []),
  ];
  return `<filterref filter='${ownV6.length > 0 ? BASE_FILTER_V6 : BASE_FILTER}'>${parameters.join('')}</filterref>`;
}
