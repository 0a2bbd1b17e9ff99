import { novaFault } from './faults.ts';

/*
 * IPv4 arithmetic on unsigned 32 bit numbers: pools of 65,536 addresses are counted through, which ipaddr.js does with an object of four
 * octets each. It reads both families where a text may be either (`network-size.ts`, the scheduler's affinity to a network).
 */

/** A block of addresses. */
export interface Cidr {
  /** First address. */
  base: number;
  prefix: number;
  /** How many addresses. */
  size: number;
}

/** `10.0.0.1` as a number; undefined for anything else, leading zeros included. */
export function parseIpv4(text: string): number | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let value = 0;
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined;
    value = value * 256 + Number(part);
  }
  return value;
}

const formatIpv4 = (value: number): string =>
  [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255].join('.');

/** `10.0.0.0/24`; host bits are cut off as netaddr's subnets do, a missing prefix is 32. */
export function parseCidr(text: string): Cidr {
  const [address = '', length = '32', ...rest] = text.split('/');
  const value = parseIpv4(address);
  const prefix = /^\d{1,2}$/.test(length) ? Number(length) : 33;
  if (value === undefined || prefix > 32 || rest.length > 0) {
    throw novaFault('InvalidCidr', { cidr: text });
  }
  const size = 2 ** (32 - prefix);
  return { base: value - (value % size), prefix, size };
}

export const formatCidr = (cidr: Cidr): string => `${formatIpv4(cidr.base)}/${cidr.prefix}`;

export const addressAt = (cidr: Cidr, index: number): string => formatIpv4(cidr.base + index);

export const netmaskOf = (cidr: Cidr): string => formatIpv4(2 ** 32 - cidr.size);

export const broadcastOf = (cidr: Cidr): string => formatIpv4(cidr.base + cidr.size - 1);

/** Whether every address of `inner` is in `outer`. */
export const containsCidr = (outer: Cidr, inner: Cidr): boolean =>
  inner.base >= outer.base && inner.base + inner.size <= outer.base + outer.size;
