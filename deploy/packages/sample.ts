import type { Option } from '@folsom/config';
import type { ConfFile } from '../conf/conf-file.ts';
import { glanceConf } from '../conf/glance.ts';
import { keystoneConf } from '../conf/keystone.ts';
import { novaConf } from '../conf/nova.ts';
import { shownValue } from '../reference/options.ts';

export const CONFS: Readonly<Record<string, ConfFile>> = {
  keystone: keystoneConf,
  'glance-api': glanceConf,
  'glance-registry': glanceConf,
  nova: novaConf,
};

/**
 * A configuration file as the originals' samples are: every option that something acts on, commented, with its default and what it is
 * for; and what an installation sets.
 *
 * @param set section, option and value of each line that counts
 */
export function sampleFile(
  { declarations, notHonoured }: ConfFile,
  set: readonly [string, string, string][],
): string {
  const dead = new Set(notHonoured.map(({ section, name }) => `${section}.${name}`));
  const sections = new Map<string, Map<string, Option<unknown>>>([['DEFAULT', new Map()]]);
  for (const { group, options } of declarations) {
    const section = sections.get(group) ?? new Map<string, Option<unknown>>();
    sections.set(group, section);
    for (const [name, option] of Object.entries(options)) {
      if (!dead.has(`${group}.${name}`)) section.set(name, option as Option<unknown>);
    }
  }
  return [...sections].map(([group, options]) => sectionText(group, options, set)).join('\n');
}

function sectionText(
  group: string,
  options: ReadonlyMap<string, Option<unknown>>,
  set: readonly [string, string, string][],
): string {
  const lines = [`[${group}]`];
  for (const [section, name, value] of set) if (section === group) lines.push(`${name} = ${value}`.trimEnd());
  for (const [name, option] of [...options].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (
      set.some(([section, known]) => section === group && (known === name || option.aliases.includes(known)))
    )
      continue;
    lines.push('');
    if (option.help !== '') lines.push(`# ${option.help.replaceAll('\n', ' ')}`);
    lines.push(`#${name} = ${option.secret ? '' : shownValue(option.default)}`.trimEnd());
  }
  return `${lines.join('\n')}\n`;
}
