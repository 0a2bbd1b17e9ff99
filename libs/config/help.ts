import type { OptionGroup } from './options.ts';

const METAVAR = { str: 'VALUE', int: 'N', float: 'X', bool: '', list: 'A,B', multi: 'VALUE' } as const;

/** The `--help` text: every declared option with its help and default, sorted by section and name. */
export function helpText(
  program: string,
  declarations: readonly OptionGroup[],
  usage = '[options]',
  width = 100,
): string {
  const lines = [`Usage: ${program} ${usage}`, '', 'Options:'];
  const add = (left: string, text: string) => {
    const words = text.split(/\s+/).filter(word => word !== '');
    const rows: string[] = [];
    for (const word of words) {
      const row = rows.at(-1);
      if (row !== undefined && row.length + word.length + 1 <= width - 30)
        rows[rows.length - 1] += ` ${word}`;
      else rows.push(word);
    }
    if (left.length <= 26) lines.push(`  ${left.padEnd(28)}${rows.shift() ?? ''}`.trimEnd());
    else lines.push(`  ${left}`);
    for (const row of rows) lines.push(`${' '.repeat(30)}${row}`);
  };
  add('-h, --help', 'Show this help message and exit');
  add('--version', "Show the program's version number and exit");
  add('--config-file=PATH', 'Path to a config file; may be given several times, later files win');
  add('--config-dir=DIR', 'Path to a directory whose *.conf files are read after the config files, sorted');

  const sections = new Map<string, Map<string, [string, string]>>();
  for (const { group, options } of declarations) {
    const rows = sections.get(group) ?? new Map<string, [string, string]>();
    sections.set(group, rows);
    for (const [name, option] of Object.entries(options)) {
      const flag = (group === 'DEFAULT' ? name : `${group}-${name}`).replaceAll('_', '-');
      const metavar = METAVAR[option.kind];
      const short = option.short ? `-${option.short}, ` : '';
      const shown = option.secret && option.default !== null ? '***' : showDefault(option.default);
      const choices = option.choices ? ` One of: ${option.choices.join(', ')}.` : '';
      const text = `${option.help}${choices}${shown === '' ? '' : ` (default: ${shown})`}`;
      rows.set(name, [`${short}--${flag}${metavar === '' ? '' : `=${metavar}`}`, text]);
    }
  }
  for (const group of [...sections.keys()].sort(defaultFirst)) {
    lines.push('', `[${group}]`);
    for (const name of [...sections.get(group)!.keys()].sort()) add(...sections.get(group)!.get(name)!);
  }
  return `${lines.join('\n')}\n`;
}

const defaultFirst = (a: string, b: string): number =>
  a === b ? 0 : a === 'DEFAULT' ? -1 : b === 'DEFAULT' ? 1 : a < b ? -1 : 1;

function showDefault(value: unknown): string {
  if (value === null || value === undefined) return '';
  return Array.isArray(value) ? value.join(',') : String(value);
}
