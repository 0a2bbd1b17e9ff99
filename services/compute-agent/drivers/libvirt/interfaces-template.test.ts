import { describe, expect, it } from 'vitest';
import { renderTemplate } from './interfaces-template.ts';

/** A file as an operator writes it. */
const TEMPLATE = `# For #1 of $use_ipv6, \\$5 \\#if
## never seen
#for $ifc in $interfaces
auto \${ifc.name}
  address $ifc.address.
  gateway \${ifc.gateway}
  #if $ifc.dns and not ($ifc.name == 'eth1' or $use_ipv6 != True)
  dns \${ifc.dns}
  #elif $ifc.name == "eth1"
  second
  #else
  none
  #end if
#end for
# vim: end`;

const interfaces = [
  { name: 'eth0', address: '10.0.0.2', gateway: null, dns: '8.8.4.4' },
  { name: 'eth1', address: '10.1.0.2', gateway: '10.1.0.1', dns: '8.8.4.4' },
  { name: 'eth2', address: '10.2.0.2', gateway: '10.2.0.1', dns: '' },
];

describe('templates of guests’ networks', () => {
  it('are rendered as Cheetah does', () => {
    expect(renderTemplate(TEMPLATE, { interfaces, use_ipv6: true })).toBe(`# For #1 of True, $5 #if
auto eth0
  address 10.0.0.2.
  gateway 
  dns 8.8.4.4
auto eth1
  address 10.1.0.2.
  gateway 10.1.0.1
  second
auto eth2
  address 10.2.0.2.
  gateway 10.2.0.1
  none
# vim: end`);
  });

  it('that cannot be read are refused with their line', () => {
    const refused = (text: string) => () => renderTemplate(text, { interfaces, use_ipv6: false });
    for (const [text, words] of [
      ['a\n$nothing', 'line 2: $nothing, which nobody knows'],
      ['#for $i in $interfaces\n$i.mac\n#end for', 'line 2: $i.mac'],
      ['#for $i in $use_ipv6\n#end for', 'is no list'],
      ['#for $i in $interfaces\n', 'no #end for'],
      ['#if $use_ipv6 then\n#end if', 'cannot be read'],
      ['#if ($use_ipv6\n#end if', 'bracket'],
      ['#if $use_ipv6\n#else\n#else\n#end if', 'after #else'],
      ['#end if', 'without its beginning'],
      ['#set $x = 1', 'not known here'],
      ['x #if $use_ipv6# y #end if#', 'not known here'],
      ['$(open)', 'not known here'],
      [`$${'{'}open("/etc/passwd")}`, 'not known here'],
      ['$interfaces', 'cannot be written'],
      ['$use_ipv6.constructor', 'nobody knows'],
    ] as const)
      expect(refused(text), text).toThrow(words);
  });
});
