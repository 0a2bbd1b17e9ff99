import { createHash } from 'node:crypto';
import ipaddr from 'ipaddr.js';
import { novaFault } from './faults.ts';

/*
 * IPv6 addresses of guests. None is stored: each follows from its network's block and its card, by the rule that
 * `ipv6_backend` names, and the guest finds the same one out by itself (RFC 4862) from what radvd announces.
 */

/** A block of addresses; its numbers have 128 bits. */
export interface CidrV6 {
  base: bigint;
  prefix: number;
}

const BITS = 128;
/** What a host can add its own half to. */
const AUTONOMOUS_PREFIX = 64;

const numberOf = (bytes: readonly number[]): bigint =>
  bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);

/** Shortest form, as RFC 5952 has it. */
export const formatIpv6 = (value: bigint): string => {
  const bytes = Array.from({ length: 16 }, (_none, index) =>
    Number((value >> BigInt(120 - 8 * index)) & 255n),
  );
  return new ipaddr.IPv6(bytes).toRFC5952String();
};

/** `fd00::/64`; bits of hosts are cut off, a missing prefix is 128. @throws Fault `InvalidCidr` */
export function parseCidrV6(text: string): CidrV6 {
  const [address = '', length = '128', ...rest] = text.split('/');
  const prefix = /^\d{1,3}$/.test(length) ? Number(length) : BITS + 1;
  if (prefix > BITS || rest.length > 0 || address.includes('%') || !ipaddr.IPv6.isValid(address))
    throw novaFault('InvalidCidr', { cidr: text });
  const value = numberOf(ipaddr.IPv6.parse(address).toByteArray());
  const hostBits = BigInt(BITS - prefix);
  return { base: (value >> hostBits) << hostBits, prefix };
}

export const formatCidrV6 = ({ base, prefix }: CidrV6): string => `${formatIpv6(base)}/${prefix}`;

/**
 * The blocks of `count` networks out of one. A guest makes its address of 64 bits of its network's, so a block that is
 * larger is cut into ones of that size; a smaller one is one network.
 */
export function networksOfV6(block: CidrV6, count: number): CidrV6[] {
  if (block.prefix >= AUTONOMOUS_PREFIX) return [block];
  const fits = 2n ** BigInt(AUTONOMOUS_PREFIX - block.prefix);
  const length = BigInt(count) < fits ? count : Number(fits);
  const step = 1n << BigInt(BITS - AUTONOMOUS_PREFIX);
  return Array.from({ length }, (_none, index) => ({
    base: block.base + BigInt(index) * step,
    prefix: AUTONOMOUS_PREFIX,
  }));
}

/** Whether one holds an address of the other. */
export const overlapV6 = (one: CidrV6, other: CidrV6): boolean => {
  const hostBits = BigInt(BITS - Math.min(one.prefix, other.prefix));
  return one.base >> hostBits === other.base >> hostBits;
};

const octetsOf = (mac: string): number[] => {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(mac)) throw new TypeError(`Bad mac for to_global_ipv6: ${mac}`);
  return mac.split(':').map(octet => Number.parseInt(octet, 16));
};

/** The half of an address that a card makes of its own number (modified EUI-64). */
function cardHalf(mac: string): bigint {
  const [first = 0, ...rest] = octetsOf(mac);
  return numberOf([first ^ 2, ...rest.slice(0, 2), 0xff, 0xfe, ...rest.slice(2)]);
}

/** What every card calls itself on its own link. */
export const linkLocalV6 = (mac: string): string => formatIpv6((0xfe80n << 112n) | cardHalf(mac));

/** Card and project of a guest to its address, by the names of `ipv6_backend`. */
const BACKENDS = {
  rfc2462: (base: bigint, mac: string) => base | cardHalf(mac),
  /** The project's digest in the middle, the card's last three octets behind it. */
  account_identifier: (base: bigint, mac: string, project: string) => {
    const digest = BigInt(`0x${createHash('sha1').update(project).digest('hex').slice(0, 8)}`);
    return base | (digest << 32n) | (0xffn << 24n) | numberOf(octetsOf(mac).slice(3));
  },
} as const;

export type Ipv6Backend = keyof typeof BACKENDS;

/** @throws where `ipv6_backend` names none */
export function ipv6Backend(name: string): Ipv6Backend {
  if (name === 'rfc2462' || name === 'account_identifier') return name;
  throw new Error(`ipv6_backend ${name} is not supported: use rfc2462 or account_identifier`);
}

/** The address of a card in a network; `project` is the network's, null where it is everybody's. */
export const globalV6 = (backend: Ipv6Backend, cidr: string, mac: string, project: string | null): string =>
  formatIpv6(BACKENDS[backend](parseCidrV6(cidr).base, mac, project ?? ''));
