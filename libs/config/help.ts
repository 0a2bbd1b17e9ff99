import { must } from '@folsom/core';
import type { OptionGroup } from './options.ts';
import { type Flag, formatFlags } from './optparse.ts';

const BUILT_IN: readonly Flag[] = [
  { name: '--version', isSwitch: true, help: "show program's version number and exit" },
  { name: '--help', short: '-h', isSwitch: true, help: 'show this help message and exit' },
  {
    name: '--config-file',
    metavar: 'PATH',
    help: 'Path to a config file. Several may be given; of an option set twice the last one counts.',
  },
  {
    name: '--config-dir',
    metavar: 'DIR',
    help: 'Path to a directory whose *.conf files are read, sorted by name, after all config files.',
  },
];

/** The `--help` text in the form of Folsom's programs: every declared option with its explanation and default. */
export function helpText(
  program: string,
  declarations: readonly OptionGroup[],
  usage = `${program} [options]`,
): string {
  const groups = new Map<string, Map<string, Flag[]>>();
  for (const { group, options } of declarations) {
    const rows = groups.get(group) ?? new Map<string, Flag[]>();
    groups.set(group, rows);
    for (const [name, option] of Object.entries(options)) {
      const long = group === 'DEFAULT' ? name : `${group}-${name}`;
      const shown = option.secret && option.default !== null ? '***' : showDefault(option.default);
      const choices = option.choices ? ` One of: ${option.choices.join(', ')}.` : '';
      const help = `${option.help}${choices}${shown === '' ? '' : ` (default: ${shown})`}`.trim();
      const short = option.short && group === 'DEFAULT' ? { short: `-${option.short}` } : {};
      rows.set(
        name,
        option.kind === 'bool'
          ? [
              { name: `--${long}`, ...short, isSwitch: true, help },
              { name: `--no${long}`, isSwitch: true, help: `The inverse of --${long}` },
            ]
          : [{ name: `--${long}`, ...short, help }],
      );
    }
  }
  const sections = [...groups.keys()].sort(defaultFirst).map(group => {
    const rows = must(groups.get(group), 'groups has group');
    const flags = [...rows.keys()].sort().flatMap(name => must(rows.get(name), 'rows has name'));
    const title = group === 'DEFAULT' ? 'Options' : `${group} options`;
    return `${title}:\n${formatFlags(group === 'DEFAULT' ? [...BUILT_IN, ...flags] : flags)}`;
  });
  if (!groups.has('DEFAULT')) sections.unshift(`Options:\n${formatFlags(BUILT_IN)}`);
  return `Usage: ${usage}\n\n${sections.join('\n')}`;
}

const defaultFirst = (a: string, b: string): number =>
  a === b ? 0 : a === 'DEFAULT' ? -1 : b === 'DEFAULT' ? 1 : a < b ? -1 : 1;

function showDefault(value: unknown): string {
  if (value === null || value === undefined) return '';
  return Array.isArray(value) ? value.join(',') : String(value);
}
