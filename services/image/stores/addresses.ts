import { lookup as dnsLookup, type LookupAddress } from 'node:dns';
import { BlockList, isIP, isIPv4, type LookupFunction } from 'node:net';
import { storeFault } from './store.ts';

/** Networks a user must not make the service talk to: this host, its links, private and special ranges. */
const INNER = new BlockList();
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const) {
  INNER.addSubnet(network, prefix, 'ipv4');
}
for (const [network, prefix] of [
  ['::', 96],
  ['64:ff9b::', 96],
  ['64:ff9b:1::', 48],
  ['100::', 64],
  ['2001::', 32],
  ['2002::', 16],
  ['fc00::', 7],
  ['fe80::', 10],
  ['fec0::', 10],
  ['ff00::', 8],
] as const) {
  INNER.addSubnet(network, prefix, 'ipv6');
}

/** Decides which addresses sources named by users may have. */
export interface AddressGuard {
  allows(address: string): boolean;
  /** Resolves names once, for the connection itself, and refuses inner addresses: what is checked is what is used. */
  lookup: LookupFunction;
  /** @throws SourceRefused for a host that is, or resolves to, an inner address. */
  check(host: string): Promise<void>;
}

/** @param networks CIDR ranges that are allowed although they are inner ones. */
export function addressGuard(networks: readonly string[]): AddressGuard {
  const allowed = new BlockList();
  for (const network of networks) {
    const [address = '', prefix] = network.split('/');
    if (isIP(address) === 0)
      throw new Error(`external_source_networks: "${network}" is not a network like 10.0.0.0/8`);
    const family = isIPv4(address) ? 'ipv4' : 'ipv6';
    const bits = prefix === undefined ? (family === 'ipv4' ? 32 : 128) : Number(prefix);
    if (!Number.isInteger(bits)) {
      throw new Error(`external_source_networks: "${network}" is not a network like 10.0.0.0/8`);
    }
    allowed.addSubnet(address, bits, family);
  }
  const allows = (address: string): boolean => {
    const plain = unmapped(address.split('%')[0]!);
    const family = isIPv4(plain) ? 'ipv4' : 'ipv6';
    return allowed.check(plain, family) || !INNER.check(plain, family);
  };
  const guard: AddressGuard = {
    allows,
    lookup: (hostname, options, callback) => {
      dnsLookup(hostname, { ...options, all: true }, (error, addresses: LookupAddress[]) => {
        if (error) return callback(error, '', 4);
        const refused = addresses.length === 0 || addresses.some(({ address }) => !allows(address));
        if (refused) return callback(storeFault('SourceRefused') as NodeJS.ErrnoException, '', 4);
        if (options.all) return (callback as (e: null, a: LookupAddress[]) => void)(null, addresses);
        callback(null, addresses[0]!.address, addresses[0]!.family);
      });
    },
    check: host =>
      new Promise((resolve, reject) => {
        const bare = host.replace(/^\[|\]$/g, '');
        if (isIP(bare) !== 0) {
          return allows(bare) ? resolve() : reject(storeFault('SourceRefused'));
        }
        guard.lookup(bare, { all: false }, error => {
          // A name that does not resolve is found out when the source is used.
          if (error?.name === 'SourceRefused') reject(error);
          else resolve();
        });
      }),
  };
  return guard;
}

/** `::ffff:127.0.0.1` and `::ffff:7f00:1` are IPv4 addresses in disguise. */
function unmapped(address: string): string {
  const dotted = /^::(?:ffff:(?:0:)?)?(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (dotted) return dotted;
  const hex = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/i.exec(address);
  if (!hex) return address;
  const high = Number.parseInt(hex[1]!, 16);
  const low = Number.parseInt(hex[2]!, 16);
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
}
