import { readFile } from 'node:fs/promises';
import { broadcastOf, netmaskOf, parseCidr } from '@folsom/nova/ipv4';
import type { NetworkInfo, NetworkSubnet } from '@folsom/nova/network-info';
import { renderTemplate, type TemplateValue } from './interfaces-template.ts';

/** interfaces(5) of a guest, where `injected_network_template` names no file that is there. */
const OWN_TEMPLATE = `# The network of this instance, written at its first start.
auto lo
iface lo inet loopback
#for $ifc in $interfaces

auto \${ifc.name}
iface \${ifc.name} inet static
    address \${ifc.address}
    netmask \${ifc.netmask}
    broadcast \${ifc.broadcast}
#if $ifc.gateway
    gateway \${ifc.gateway}
#end if
#if $ifc.dns
    dns-nameservers \${ifc.dns}
#end if
#if $use_ipv6 and $ifc.address_v6
iface \${ifc.name} inet6 static
    address \${ifc.address_v6}
    netmask \${ifc.netmask_v6}
#if $ifc.gateway_v6
    gateway \${ifc.gateway_v6}
#end if
#end if
#end for
`;

/** What a template is told of a guest's cards: those in injected networks, each with its first addresses. */
function interfacesOf(network: NetworkInfo, ipv6: boolean): TemplateValue[] {
  const described = network.flatMap(({ network: model }) => (model?.subnets.length ? [model] : []));
  return described.flatMap((model, index) => {
    const v4 = model.subnets.find(subnet => subnet.version === 4);
    const address = v4?.ips[0]?.address;
    if (!model.meta.injected || !v4?.cidr || !address) return [];
    const cidr = parseCidr(v4.cidr);
    return [
      {
        name: `eth${index}`,
        address,
        netmask: netmaskOf(cidr),
        broadcast: broadcastOf(cidr),
        gateway: v4.gateway?.address ?? null,
        dns: v4.dns.flatMap(server => server.address ?? []).join(' '),
        ...ofIpv6(ipv6 ? model.subnets.find(subnet => subnet.version === 6) : undefined),
      },
    ];
  });
}

const ofIpv6 = (subnet: NetworkSubnet | undefined): { [name: string]: TemplateValue } => ({
  address_v6: subnet?.ips[0]?.address ?? null,
  netmask_v6: subnet?.cidr ? Number(subnet.cidr.split('/')[1]) : null,
  gateway_v6: subnet?.gateway?.address ?? null,
});

/**
 * The text of a guest's `/etc/network/interfaces`; null for one without a card in an injected network, and without a
 * template (an empty option).
 * @throws Error that names the line of a template that cannot be read
 */
export async function injectedNetwork(
  network: NetworkInfo,
  { template, ipv6 }: { template: string; ipv6: boolean },
): Promise<string | null> {
  const interfaces = interfacesOf(network, ipv6);
  if (interfaces.length === 0 || template === '') return null;
  const text = await readFile(template, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return OWN_TEMPLATE;
    throw error;
  });
  return renderTemplate(text, { interfaces, use_ipv6: ipv6 });
}
