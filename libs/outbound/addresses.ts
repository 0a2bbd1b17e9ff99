import { BlockList, isIP, isIPv4 } from 'node:net';
import { networkInterfaces } from 'node:os';
import { must } from '@folsom/core';

/** Networks a user must not make a service talk to: this machine, its links, private and special ranges. */
const INNER = new BlockList();
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const) {
  INNER.addSubnet(network, prefix, 'ipv4');
}
// Among them every form in which IPv6 carries an IPv4 address: compatible, translated (NAT64), Teredo, 6to4.
for (const [network, prefix] of [
  ['::', 96],
  ['::ffff:0:0:0', 96],
  ['64:ff9b::', 96],
  ['64:ff9b:1::', 48],
  ['100::', 64],
  ['2001::', 32],
  ['2002::', 16],
  ['5f00::', 16],
  ['fc00::', 7],
  ['fe80::', 10],
  ['fec0::', 10],
  ['ff00::', 8],
] as const) {
  INNER.addSubnet(network, prefix, 'ipv6');
}

const MACHINE = new BlockList();
MACHINE.addSubnet('0.0.0.0', 8, 'ipv4');
MACHINE.addSubnet('127.0.0.0', 8, 'ipv4');
MACHINE.addAddress('::', 'ipv6');
MACHINE.addAddress('::1', 'ipv6');

/** Decides which addresses targets named by users may have. */
export interface AddressRule {
  /** @param address a literal IPv4 or IPv6 address; anything else is refused */
  allows(address: string): boolean;
}

/** Leaves addresses to the list of hosts that goes with it. */
export const anyAddress: AddressRule = { allows: address => plainAddress(address) !== null };

/**
 * @param networks CIDR ranges that are allowed although they are inner ones or this machine's own addresses
 * @param option the option they stand in, for the error
 * @throws one sentence for a text that is no network
 */
export function addressRule(networks: readonly string[], option: string): AddressRule {
  const opened = new BlockList();
  for (const network of networks) {
    const [address = '', prefix, ...more] = network.split('/');
    const family = isIPv4(address) ? 'ipv4' : 'ipv6';
    const most = family === 'ipv4' ? 32 : 128;
    const bits = prefix === undefined ? most : /^\d+$/.test(prefix) ? Number(prefix) : Number.NaN;
    if (isIP(address) === 0 || more.length > 0 || !(bits <= most)) {
      throw new Error(`${option}: "${network}" is not a network like 10.0.0.0/8`);
    }
    opened.addSubnet(address, bits, family);
  }
  return {
    allows: address => {
      const plain = plainAddress(address);
      if (plain === null) return false;
      const family = isIPv4(plain) ? 'ipv4' : 'ipv6';
      return opened.check(plain, family) || !(INNER.check(plain, family) || isThisMachine(plain));
    },
  };
}

/** Whether an address is one of this machine's, loopback or of an interface. */
export function isThisMachine(address: string): boolean {
  const plain = plainAddress(address);
  if (plain === null) return false;
  if (MACHINE.check(plain, isIPv4(plain) ? 'ipv4' : 'ipv6')) return true;
  return Object.values(networkInterfaces()).some(addresses =>
    addresses?.some(own => plainAddress(own.address) === plain),
  );
}

/** One spelling for an address; an IPv4 address in IPv6's disguise (`::ffff:7f00:1`) becomes itself. Null for other texts. */
export function plainAddress(text: string): string | null {
  const address = text.replace(/%.*$/, '');
  if (isIPv4(address)) return address;
  if (isIP(address) === 0) return null;
  const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(canonical);
  if (!mapped) return canonical;
  const high = Number.parseInt(must(mapped[1], 'the pattern has group 1'), 16);
  const low = Number.parseInt(must(mapped[2], 'the pattern has group 2'), 16);
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
}
