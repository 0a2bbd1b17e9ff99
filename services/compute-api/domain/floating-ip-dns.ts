import { isIP } from 'node:net';
import { isFault, type RequestContext } from '@folsom/core';
import { dnsDomain } from '@folsom/nova/dns-domains';
import { novaFault } from '@folsom/nova/faults';
import { floatingIpByAddress } from '@folsom/nova/floating-ips';
import type { DnsDomain } from '@folsom/nova/rpc/network';
import type { Deps } from './deps.ts';
import { adminOnly } from './policy.ts';

/** Names as they may stand in a zone, a hosts file or a directory: nothing else gets there. */
const LABELS = /^(?!-)[a-z0-9_-]{1,63}(\.(?!-)[a-z0-9_-]{1,63})*$/i;
/** Of a whole name. */
const NAME_CHARS_MAX = 253;

const invalid = (reason: string) => novaFault('InvalidInput', { reason });

/** @throws Fault `InvalidInput` */
function mustBeName(...parts: string[]): void {
  const name = parts.join('.');
  if (name.length > NAME_CHARS_MAX || !LABELS.test(name))
    throw invalid(`${name.slice(0, NAME_CHARS_MAX)} is no name of a host or a domain`);
}

/** The project's, everybody's, and those of instances; all for administrators. */
export async function listDnsDomains(deps: Deps, context: RequestContext): Promise<DnsDomain[]> {
  const all = await deps.network.client.get_dns_domains(context, {});
  if (context.isAdmin) return all;
  return all.filter(({ scope, project }) => scope === 'private' || !project || project === context.projectId);
}

/** Makes a domain, or says anew whose it is. @throws Fault `AdminRequired`, `InvalidInput` */
export async function setDnsDomain(
  deps: Deps,
  context: RequestContext,
  domain: string,
  of: { scope: 'private'; zone: string | null } | { scope: 'public'; project: string | null },
): Promise<void> {
  adminOnly(context);
  mustBeName(domain);
  if (of.scope === 'private')
    await deps.network.client.create_private_dns_domain(context, { domain, av_zone: of.zone });
  else await deps.network.client.create_public_dns_domain(context, { domain, project: of.project });
}

/** With its names. @throws Fault `AdminRequired`, `NotFound` */
export async function deleteDnsDomain(deps: Deps, context: RequestContext, domain: string): Promise<void> {
  adminOnly(context);
  mustBeName(domain);
  await deps.network.client.delete_dns_domain(context, { domain });
}

/**
 * Whether the caller may change names in a domain: an administrator may, others in the public domains of their project and of
 * everybody. @throws Fault `NotFound`, `NotAuthorized`
 */
async function mayEnter(deps: Deps, context: RequestContext, domain: string): Promise<void> {
  if (context.isAdmin) return;
  const row = await dnsDomain(deps.db, domain);
  if (row === undefined) throw novaFault('NotFound');
  const own = row.scope === 'public' && (row.project_id === null || row.project_id === context.projectId);
  if (!own) throw novaFault('NotAuthorized');
}

/** Whether an address is the caller's: of another's, a tenant does not change what it is called. @throws Fault `NotAuthorized` */
async function mustOwn(deps: Deps, context: RequestContext, address: string): Promise<void> {
  if (context.isAdmin) return;
  const row = await floatingIpByAddress(deps.db, address).catch(error => {
    if (!isFault(error, 'FloatingIpNotFoundForAddress')) throw error;
    return undefined;
  });
  if (row === undefined || row.project_id !== context.projectId) throw novaFault('NotAuthorized');
}

const addressesOf = async (deps: Deps, context: RequestContext, name: string, domain: string) =>
  (await deps.network.client.get_dns_entries_by_name(context, { name, domain })) ?? [];

/** The address of a name. @throws Fault `NotFound` */
export async function dnsAddress(
  deps: Deps,
  context: RequestContext,
  domain: string,
  name: string,
): Promise<string> {
  mustBeName(name, domain);
  const [address] = await addressesOf(deps, context, name, domain);
  if (address === undefined) throw novaFault('NotFound');
  return address;
}

/** Names of an address in a domain. */
export async function dnsNames(
  deps: Deps,
  context: RequestContext,
  domain: string,
  address: string,
): Promise<string[]> {
  mustBeName(domain);
  if (isIP(address) === 0) throw invalid(`${address.slice(0, 255)} is no address`);
  return deps.network.client.get_dns_entries_by_address(context, { address, domain });
}

/** Enters a name, or gives it another address. @throws Fault `InvalidInput`, `NotAuthorized`, `NotFound` */
export async function setDnsEntry(
  deps: Deps,
  context: RequestContext,
  { domain, name, address, type }: { domain: string; name: string; address: string; type: string },
): Promise<void> {
  mustBeName(name, domain);
  if (isIP(address) === 0) throw invalid(`${address.slice(0, 255)} is no address`);
  await mayEnter(deps, context, domain);
  await mustOwn(deps, context, address);
  const { client } = deps.network;
  const [present] = await addressesOf(deps, context, name, domain);
  if (present === undefined) await client.add_dns_entry(context, { address, name, dns_type: type, domain });
  else {
    await mustOwn(deps, context, present);
    await client.modify_dns_entry(context, { name, address, domain });
  }
}

/** @throws Fault `NotAuthorized`, `NotFound` */
export async function deleteDnsEntry(
  deps: Deps,
  context: RequestContext,
  domain: string,
  name: string,
): Promise<void> {
  mustBeName(name, domain);
  await mayEnter(deps, context, domain);
  for (const address of context.isAdmin ? [] : await addressesOf(deps, context, name, domain))
    await mustOwn(deps, context, address);
  await deps.network.client.delete_dns_entry(context, { name, domain });
}
