import ipaddr from 'ipaddr.js';

/** Number of addresses of a block; undefined for a text that is none. */
export function networkSize(cidr: string): number | undefined {
  try {
    const [address, prefix] = ipaddr.parseCIDR(cidr);
    return 2 ** (address.kind() === 'ipv4' ? 32 - prefix : 128 - prefix);
  } catch {
    return undefined;
  }
}
