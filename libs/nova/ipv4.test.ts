import { describe, expect, it } from 'vitest';
import { addressAt, broadcastOf, containsCidr, formatCidr, netmaskOf, parseCidr, parseIpv4 } from './ipv4.ts';

describe('an IPv4 address', () => {
  it.each([
    ['0.0.0.0', 0],
    ['10.0.0.1', 167_772_161],
    ['255.255.255.255', 2 ** 32 - 1],
  ])('%s is %i', (text, value) => expect(parseIpv4(text)).toBe(value));

  it.each([
    '',
    '10.0.0',
    '10.0.0.0.1',
    '10.0.0.256',
    '010.0.0.1',
    '10.0.0.1 ',
    '0x7f.0.0.1',
    '::1',
    '10.0.0.-1',
  ])('%j is none', text => expect(parseIpv4(text)).toBeUndefined());
});

describe('a range of addresses', () => {
  it('begins where its prefix says, whatever host bits were given', () => {
    const cidr = parseCidr('10.1.2.3/24');
    expect([formatCidr(cidr), cidr.size, addressAt(cidr, 2), netmaskOf(cidr), broadcastOf(cidr)]).toEqual([
      '10.1.2.0/24',
      256,
      '10.1.2.2',
      '255.255.255.0',
      '10.1.2.255',
    ]);
  });

  it('may be one address, or all', () => {
    expect(formatCidr(parseCidr('192.168.255.255'))).toBe('192.168.255.255/32');
    const all = parseCidr('255.0.0.0/0');
    expect([formatCidr(all), netmaskOf(all), broadcastOf(all)]).toEqual([
      '0.0.0.0/0',
      '0.0.0.0',
      '255.255.255.255',
    ]);
  });

  it.each(['10.0.0.0/33', '10.0.0.0/', '10.0.0.0/a', '10.0.0.0/8/8', '10.0.0/8', 'fe80::/10', ''])(
    '%j is refused',
    text => expect(() => parseCidr(text)).toThrow(`Invalid cidr ${text}.`),
  );

  it('holds another whole, or not', () => {
    const holds = (outer: string, inner: string) => containsCidr(parseCidr(outer), parseCidr(inner));
    expect(holds('10.0.0.0/8', '10.255.255.0/24')).toBe(true);
    expect(holds('10.0.0.0/24', '10.0.0.0/24')).toBe(true);
    expect(holds('10.0.0.0/24', '10.0.0.0/23')).toBe(false);
    expect(holds('10.0.0.0/24', '10.0.1.0/25')).toBe(false);
  });
});
