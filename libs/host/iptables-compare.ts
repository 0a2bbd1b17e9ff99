import { must } from '@folsom/core';
import ipaddr from 'ipaddr.js';

/** Rules as texts, compared for what they mean: `iptables-save` writes them in its own words. */

/** What iptables calls protocols that rules may give as numbers. */
const PROTOCOLS: Readonly<Record<string, string>> = {
  '1': 'icmp',
  '2': 'igmp',
  '6': 'tcp',
  '17': 'udp',
  '47': 'gre',
  '50': 'esp',
  '51': 'ah',
  '58': 'ipv6-icmp',
  icmpv6: 'ipv6-icmp',
  '89': 'ospf',
  '132': 'sctp',
  '136': 'udplite',
};

/** Options that take no value. */
const BARE = new Set(['--checksum-fill', '!']);
/** Whose value restricts nothing. */
const EVERYTHING: Readonly<Record<string, readonly string[]>> = {
  '-s': ['0.0.0.0/0', '::/0'],
  '-d': ['0.0.0.0/0', '::/0'],
  '--dport': ['0:65535'],
  '--icmp-type': ['any'],
};

/** One text for all spellings of a rule: what it matches in a fixed order, then its target. */
export function canonicalRule(rule: string): string {
  const words = rule.trim().split(/\s+/);
  const matches: string[] = [];
  const target: string[] = [];
  let to = matches;
  for (let at = 0; at < words.length; ) {
    const not = words[at] === '!' ? '! ' : '';
    if (not) at++;
    const option = words[at++] ?? '';
    if (option === '-j' || option === '-g') to = target;
    const value = BARE.has(option) || words[at]?.startsWith('-') ? undefined : words[at++];
    // The options of a match name it.
    if (option === '-m') continue;
    const said = value === undefined ? undefined : canonicalValue(option, value);
    if (not === '' && said !== undefined && EVERYTHING[option]?.includes(said)) continue;
    to.push(`${not}${option}${said === undefined ? '' : ` ${said}`}`);
  }
  return [...matches.sort(), ...target].join(' ');
}

function canonicalValue(option: string, value: string): string {
  switch (option) {
    case '-p':
      return PROTOCOLS[value] ?? value;
    case '-s':
    case '-d':
      return canonicalBlock(value);
    case '--state':
    case '--ctstate':
      return value.split(',').sort().join(',');
    case '--dport':
    case '--sport': {
      const [from, to = from] = value.split(':');
      return from === to ? must(from, 'from is there') : value;
    }
    default:
      return value;
  }
}

/** `10.0.0.5/24` is `10.0.0.0/24`, and an address is a block of one. */
function canonicalBlock(value: string): string {
  if (value.includes(':')) return canonicalBlockV6(value);
  const [address, length = '32'] = value.split('/');
  const bits = Number(length);
  if (!/^\d+(\.\d+){3}$/.test(must(address, 'address is there')) || !Number.isInteger(bits)) return value;
  const number = must(address, 'address is there')
    .split('.')
    .reduce((sum, part) => sum * 256 + Number(part), 0);
  const size = 2 ** (32 - bits);
  const first = number - (number % size);
  return `${[24, 16, 8, 0].map(shift => Math.floor(first / 2 ** shift) % 256).join('.')}/${bits}`;
}

function canonicalBlockV6(value: string): string {
  const block = value.includes('/') ? value : `${value}/128`;
  if (!ipaddr.IPv6.isValidCIDR(block)) return value;
  return `${ipaddr.IPv6.networkAddressFromCIDR(block).toRFC5952String()}/${block.split('/')[1]}`;
}

const ACCEPTS = /(^| )-j ACCEPT$/;
/** Jumps by one destination address each: a packet takes one of them whatever their order. */
const BY_ADDRESS = /^-d \S+\/(32|128) -j \S+$/;

/**
 * The rules of a chain as far as their order matters: neighbours that all accept, or that each send one address
 * elsewhere, are sorted. Repetitions of a rule say nothing.
 */
function canonicalChain(rules: readonly string[]): string[] {
  const out: string[] = [];
  let run: string[] = [];
  let kind = '';
  const end = () => {
    out.push(...run.sort());
    run = [];
  };
  for (const rule of rules.map(canonicalRule)) {
    if (out.includes(rule) || run.includes(rule)) continue;
    const now = ACCEPTS.test(rule) ? 'accept' : BY_ADDRESS.test(rule) ? 'address' : '';
    if (now === '' || now !== kind) end();
    kind = now;
    run.push(rule);
  }
  end();
  return out;
}

/** What a chain has too much, what it lacks, and whether it has everything in another order; one sentence each. */
export function chainDifferences(
  chain: string,
  wanted: readonly string[],
  present: readonly string[],
): string[] {
  const should = canonicalChain(wanted);
  const has = canonicalChain(present);
  const out = [
    ...should.filter(rule => !has.includes(rule)).map(rule => `${chain} lacks: ${rule}`),
    ...has.filter(rule => !should.includes(rule)).map(rule => `${chain} has too much: ${rule}`),
  ];
  if (out.length === 0 && should.join('\n') !== has.join('\n'))
    out.push(`${chain} has its rules in another order`);
  return out;
}
