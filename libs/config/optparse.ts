import { must } from '@folsom/core';
import { CommandLineError } from './errors.ts';

/** One option of a sub-command, as the management programs of 2012 print and parse them. */
export interface Flag {
  /** e.g. `--host`, or with short forms `-H, --host`. */
  name: string;
  short?: string;
  /** Key of the parsed value; default: the name with underscores. */
  dest?: string;
  /** Shown after `=`; default: dest in capitals. */
  metavar?: string;
  help?: string;
  /** The option alone means true. */
  isSwitch?: boolean;
  /** Understood, but not shown. */
  hidden?: boolean;
}

/** For programs that have a version of their own: the first of their options. */
export const VERSION_FLAG: Flag = {
  name: '--version',
  isSwitch: true,
  help: "show program's version number and exit",
};

export interface ParsedFlags {
  values: Record<string, string | true>;
  rest: string[];
  help: boolean;
}

const HELP_FLAG: Flag = {
  name: '--help',
  short: '-h',
  isSwitch: true,
  help: 'show this help message and exit',
};
const WIDTH = 78;
const HELP_COLUMN_MAX = 24;

const destOf = (flag: Flag): string => flag.dest ?? flag.name.replace(/^-+/, '').replaceAll('-', '_');

function flagText(flag: Flag): string {
  const metavar = flag.isSwitch ? '' : (flag.metavar ?? destOf(flag).toUpperCase());
  const long = metavar === '' ? flag.name : `${flag.name}=${metavar}`;
  return flag.short ? `${flag.short}${metavar === '' ? '' : ` ${metavar}`}, ${long}` : long;
}

/** The text of `--help`: usage, and the options with their explanations in a column. */
export function formatHelp(usage: string, flags: readonly Flag[]): string {
  const [first, ...others] = flags;
  const ordered = first === VERSION_FLAG ? [first, HELP_FLAG, ...others] : [HELP_FLAG, ...flags];
  return `Usage: ${usage}\n\nOptions:\n${formatFlags(ordered.filter(flag => !flag.hidden))}`;
}

/** The lines of options alone. */
export function formatFlags(flags: readonly Flag[]): string {
  const texts = flags.map(flagText);
  const column = Math.min(HELP_COLUMN_MAX, Math.max(...texts.map(text => text.length + 2)) + 2);
  const lines: string[] = [];
  flags.forEach((flag, index) => {
    const text = must(texts[index], 'index is in texts');
    const help = wrap(flag.help ?? '', WIDTH - column);
    const fits = text.length <= column - 4;
    if (help.length === 0) lines.push(`  ${fits ? `${text.padEnd(column - 4)}  ` : text}`);
    else if (fits) lines.push(`  ${text.padEnd(column - 4)}  ${help.shift()}`);
    else lines.push(`  ${text}`);
    for (const line of help) lines.push(`${' '.repeat(column)}${line}`);
  });
  return `${lines.join('\n')}\n`;
}

/** Breaks at blanks and after hyphens inside words. */
function wrap(text: string, width: number): string[] {
  const pieces = text
    .split(/(\s+)/)
    .flatMap(part => (/\s/.test(part) ? [' '] : part.split(/(?<=\w[A-Za-z]-)(?=\w[A-Za-z])/)))
    .filter(part => part !== '');
  const lines: string[] = [];
  let line = '';
  for (const piece of pieces) {
    if (piece === ' ' && line === '') continue;
    if (line !== '' && (line + piece).trimEnd().length > width) {
      lines.push(line.trimEnd());
      line = '';
      if (piece === ' ') continue;
    }
    line += piece;
  }
  if (line.trim() !== '') lines.push(line.trimEnd());
  return lines;
}

/**
 * Parses options that may stand anywhere among the arguments; a long option may be shortened to any beginning
 * that fits one option only. Throws {@link CommandLineError} with the sentence that follows `error: `.
 */
export function parseFlags(flags: readonly Flag[], argv: readonly string[]): ParsedFlags {
  const known = [...flags, HELP_FLAG];
  const parsed: ParsedFlags = { values: {}, rest: [], help: false };
  for (let at = 0; at < argv.length; at++) {
    const arg = must(argv[at], 'at is in argv');
    if (arg === '--') {
      parsed.rest.push(...argv.slice(at + 1));
      break;
    }
    if (!arg.startsWith('-') || arg === '-') {
      parsed.rest.push(arg);
      continue;
    }
    const long = arg.startsWith('--');
    const equals = long ? arg.indexOf('=') : -1;
    const name = long ? (equals < 0 ? arg : arg.slice(0, equals)) : arg.slice(0, 2);
    const given = long ? (equals < 0 ? undefined : arg.slice(equals + 1)) : arg.slice(2) || undefined;
    const flag = find(known, name);
    if (flag.name === '--help') return { ...parsed, help: true };
    if (flag.isSwitch) {
      if (long && given !== undefined)
        throw new CommandLineError(`${flag.name} option does not take a value`);
      parsed.values[destOf(flag)] = true;
      continue;
    }
    const value = given ?? argv[++at];
    if (value === undefined)
      throw new CommandLineError(`${long ? flag.name : name} option requires an argument`);
    parsed.values[destOf(flag)] = value;
  }
  return parsed;
}

function find(flags: readonly Flag[], name: string): Flag {
  const exact = flags.find(flag => flag.name === name || flag.short === name);
  if (exact) return exact;
  const candidates = name.startsWith('--') ? flags.filter(flag => flag.name.startsWith(name)) : [];
  if (candidates.length === 1) return must(candidates[0], 'candidates is not empty');
  if (candidates.length === 0) throw new CommandLineError(`no such option: ${name}`);
  const names = candidates.map(flag => flag.name).sort();
  throw new CommandLineError(`ambiguous option: ${name} (${names.join(', ')}?)`);
}
