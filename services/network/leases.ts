import type { Database } from '@folsom/db';
import { type AssociatedFixedIp, associatedFixedIps } from '@folsom/nova/fixed-ips';
import { networkById } from '@folsom/nova/networks';

export interface LeaseSettings {
  host: string;
  dhcp_lease_time: number;
}

/** Leases as dnsmasq reads them back: `expiry mac address hostname *`. */
export function leaseLinesOf(
  known: readonly AssociatedFixedIp[],
  leaseSeconds: number,
  now: number,
): string[] {
  const expiry = Math.floor(now / 1000) + leaseSeconds;
  return known
    .filter(entry => entry.leased)
    .map(entry => `${expiry} ${entry.mac} ${entry.address} ${entry.hostname || '*'} *`);
}

/** The same from the database. */
export async function leaseLines(
  db: Database,
  networkId: number,
  settings: LeaseSettings,
  now: number,
): Promise<string[]> {
  const network = await networkById(db, networkId);
  const known = await associatedFixedIps(db, networkId, network.multi_host ? settings.host : null);
  return leaseLinesOf(known, settings.dhcp_lease_time, now);
}
