import { expect, it } from 'vitest';
import { canonicalRule, chainDifferences } from './iptables-compare.ts';

it('knows one rule in two spellings', () => {
  for (const [ours, printed] of [
    [
      '-s 10.0.0.5/24 -p tcp -m tcp --dport 22 -j ACCEPT',
      '-s 10.0.0.0/24 -p tcp -m tcp --dport 22 -j ACCEPT',
    ],
    ['-s 0.0.0.0/0 -p icmp -j ACCEPT', '-p icmp -j ACCEPT'],
    ['-s 10.0.0.2 -p 47 -j ACCEPT', '-s 10.0.0.2/32 -p gre -j ACCEPT'],
    ['-s 1.2.3.4/0 -j DROP', '-j DROP'],
    ['-m state --state RELATED,ESTABLISHED -j ACCEPT', '-m state --state ESTABLISHED,RELATED -j ACCEPT'],
    ['-p udp -m udp --dport 7:7 -j ACCEPT', '-p udp -m udp --dport 7 -j ACCEPT'],
    ['-p tcp -m tcp --dport 0:65535 -j ACCEPT', '-p tcp -m tcp -j ACCEPT'],
    ['-s fd00:0::5/64 -p icmpv6 -j ACCEPT', '-s fd00::/64 -p ipv6-icmp -j ACCEPT'],
    ['-s ::/0 -p tcp -j ACCEPT', '-p tcp -j ACCEPT'],
    ['-s FD00::1 -j ACCEPT', '-s fd00::1/128 -j ACCEPT'],
    ['-s 10.0.0.0/8 ! -d 10.0.0.0/8 -j MASQUERADE', '! -d 10.0.0.0/8 -s 10.0.0.0/8 -j MASQUERADE'],
  ] as const)
    expect(canonicalRule(ours)).toBe(canonicalRule(printed));
  for (const [one, other] of [
    ['-s 10.0.0.0/24 -j ACCEPT', '-s 10.0.0.0/25 -j ACCEPT'],
    ['-s fd00::/64 -j ACCEPT', '-s fd00::/65 -j ACCEPT'],
    ['-d 10.0.0.0/24 -j ACCEPT', '! -d 10.0.0.0/24 -j ACCEPT'],
    ['-p tcp --dport 22 -j ACCEPT', '-p udp --dport 22 -j ACCEPT'],
    ['-j DROP', '-j ACCEPT'],
  ] as const)
    expect(canonicalRule(one)).not.toBe(canonicalRule(other));
});

it('says what a chain lacks and what it has too much', () => {
  const wanted = [
    '-m state --state INVALID -j DROP',
    '-p icmp -j ACCEPT',
    '-s 10.0.0.0/24 -j ACCEPT',
    '-j x',
  ];
  const told = (present: string[]) => chainDifferences('c', wanted, present);
  expect(told(wanted)).toEqual([]);
  // Neighbours that all accept have no order; others have.
  expect(told([wanted[0]!, wanted[2]!, wanted[1]!, wanted[3]!])).toEqual([]);
  expect(told([wanted[1]!, wanted[0]!, wanted[2]!, wanted[3]!])).toEqual([
    'c has its rules in another order',
  ]);
  expect(told([...wanted.slice(0, 3), '-p tcp -j ACCEPT', '-j x'])).toEqual([
    'c has too much: -p tcp -j ACCEPT',
  ]);
  expect(told(wanted.slice(0, 3))).toEqual(['c lacks: -j x']);
  expect(
    chainDifferences(
      'l',
      ['-d 10.0.0.2/32 -j a', '-d 10.0.0.3/32 -j b'],
      ['-d 10.0.0.3/32 -j b', '-d 10.0.0.2/32 -j a'],
    ),
  ).toEqual([]);
});
