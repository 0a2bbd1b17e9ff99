import { describe, expect, it } from 'vitest';
import {
  formatCidrV6,
  globalV6,
  ipv6Backend,
  linkLocalV6,
  networksOfV6,
  overlapV6,
  parseCidrV6,
} from './ipv6.ts';

/** Blocks of networks, as texts. */
const cut = (block: string, count: number) => networksOfV6(parseCidrV6(block), count).map(formatCidrV6);

describe("a guest's address", () => {
  it('is what Folsom makes of block and card', () => {
    expect(globalV6('rfc2462', '2001:db8::/64', '02:16:3e:33:44:55', 'test')).toBe(
      '2001:db8::16:3eff:fe33:4455',
    );
    expect(globalV6('rfc2462', 'fd00:0:0:1::/64', 'fa:16:3e:00:00:01', null)).toBe(
      'fd00::1:f816:3eff:fe00:1',
    );
    expect(linkLocalV6('FA:16:3E:00:00:01')).toBe('fe80::f816:3eff:fe00:1');
  });
  it('has its account in the middle, where that is asked for', () => {
    const address = (project: string | null) =>
      globalV6('account_identifier', '2001:db8::/64', '02:16:3e:33:44:55', project);
    expect(address('test')).toBe('2001:db8::a94a:8fe5:ff33:4455');
    // The digest of nothing: a network of nobody has no account.
    expect(address(null)).toBe('2001:db8::da39:a3ee:ff33:4455');
  });
  it('is none of what is no card, no block and no rule', () => {
    expect(() => globalV6('rfc2462', '2001:db8::/64', '02:16:3e:33:44:5X', 'test')).toThrow(TypeError);
    expect(() => globalV6('rfc2462', '82', '02:16:3e:33:44:55', 'test')).toThrow('82');
    expect(() => ipv6Backend('rfc4862')).toThrow('ipv6_backend rfc4862 is not supported');
  });
});

describe('blocks', () => {
  it('are cut to what a guest can add its half to', () => {
    expect(cut('fd00::/48', 3)).toEqual(['fd00::/64', 'fd00:0:0:1::/64', 'fd00:0:0:2::/64']);
    expect(cut('fd00::/63', 9)).toEqual(['fd00::/64', 'fd00:0:0:1::/64']);
    expect(cut('fd00::5/64', 2)).toEqual(['fd00::/64']);
    expect(cut('fd00::/112', 1)).toEqual(['fd00::/112']);
  });
  it('are refused where they are none', () => {
    for (const text of [
      '',
      'fd00::/129',
      'fd00::/64/1',
      'fe80::%eth0/64',
      '10.0.0.0/24',
      'fd00::/x',
      'fd00:::/64',
    ])
      expect(() => parseCidrV6(text), text).toThrow();
  });
  it('overlap or do not', () => {
    const overlap = (one: string, other: string) => overlapV6(parseCidrV6(one), parseCidrV6(other));
    expect(overlap('fd00::/48', 'fd00:0:0:7::/64')).toBe(true);
    expect(overlap('fd00:0:0:7::/64', 'fd00:0:0:8::/64')).toBe(false);
  });
});
