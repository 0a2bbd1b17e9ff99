import { must } from '@folsom/core';
import { CommandLineError } from './errors.ts';
import type { OptionGroup } from './options.ts';

export interface CommandLine {
  configFiles: string[];
  configDirs: string[];
  /** `group\0name` to the texts given, in order. */
  values: Map<string, string[]>;
  /** What is left: the program's own arguments. */
  rest: string[];
  wants: 'help' | 'version' | null;
}

const valueKey = (group: string, name: string): string => `${group}\0${name}`;

/** Where `--flag` leads: the group, the option and whether the flag alone means true or false. */
interface Target {
  group: string;
  name: string;
  flag: boolean | null;
}

/** `my_ip` of DEFAULT is `--my_ip` and `--my-ip`; options of other groups carry the group as a prefix. */
const flagName = (group: string, name: string): string =>
  (group === 'DEFAULT' ? name : `${group}-${name}`).replaceAll('_', '-');

function targetsOf(declarations: readonly OptionGroup[]): Map<string, Target> {
  const targets = new Map<string, Target>();
  for (const { group, options } of declarations) {
    for (const [name, option] of Object.entries(options)) {
      const isBool = option.kind === 'bool';
      for (const alias of [name, ...option.aliases]) {
        targets.set(`--${flagName(group, alias)}`, { group, name, flag: isBool ? true : null });
        if (isBool) targets.set(`--no${flagName(group, alias)}`, { group, name, flag: false });
      }
      if (option.short && group === 'DEFAULT') {
        targets.set(`-${option.short}`, { group, name, flag: isBool ? true : null });
      }
    }
  }
  return targets;
}

/**
 * Reads `--option=value`, `--option value`, `--flag`, `--noflag`, `--config-file`, `--config-dir`, `--help`.
 * With `interspersed: false` reading stops at the first argument that is not an option (nova-manage).
 */
export function parseCommandLine(
  declarations: readonly OptionGroup[],
  argv: readonly string[],
  options: { interspersed?: boolean; unknownOptions?: 'refuse' | 'keep' } = {},
): CommandLine {
  const targets = targetsOf(declarations);
  const line: CommandLine = { configFiles: [], configDirs: [], values: new Map(), rest: [], wants: null };
  for (let at = 0; at < argv.length; at++) {
    const arg = must(argv[at], 'at is in argv');
    if (arg === '--') {
      line.rest.push(...argv.slice(at + 1));
      break;
    }
    if (!arg.startsWith('-') || arg === '-') {
      if (options.interspersed === false) {
        line.rest.push(...argv.slice(at));
        break;
      }
      line.rest.push(arg);
      continue;
    }
    const equals = arg.startsWith('--') ? arg.indexOf('=') : -1;
    const flag = (equals < 0 ? arg : arg.slice(0, equals)).replaceAll('_', '-');
    const given = equals < 0 ? undefined : arg.slice(equals + 1);
    const takeValue = (): string => {
      const value = given ?? argv[++at];
      if (value === undefined) throw new CommandLineError(`${flag} requires a value`);
      return value;
    };
    if (flag === '--help' || flag === '-h') line.wants ??= 'help';
    else if (flag === '--version') line.wants ??= 'version';
    else if (flag === '--config-file') line.configFiles.push(takeValue());
    else if (flag === '--config-dir') line.configDirs.push(takeValue());
    else {
      const target =
        targets.get(flag) ?? (options.unknownOptions === 'keep' ? undefined : shortened(targets, flag));
      if (!target) {
        if (options.unknownOptions !== 'keep') throw new CommandLineError(`no such option: ${flag}`);
        line.rest.push(arg);
        continue;
      }
      const text = target.flag === null ? takeValue() : (given ?? String(target.flag));
      const key = valueKey(target.group, target.name);
      line.values.set(key, [...(line.values.get(key) ?? []), text]);
    }
  }
  return line;
}

/** A beginning that fits one option only stands for it. */
function shortened(targets: ReadonlyMap<string, Target>, flag: string): Target | undefined {
  if (!flag.startsWith('--')) return undefined;
  const names = [...targets.keys()].filter(name => name.startsWith(flag));
  const found = new Set(
    names.map(
      name =>
        `${must(targets.get(name), 'targets has name').group}.${must(targets.get(name), 'targets has name').name}`,
    ),
  );
  if (found.size > 1) throw new CommandLineError(`ambiguous option: ${flag} (${names.sort().join(', ')}?)`);
  return names[0] === undefined ? undefined : targets.get(names[0]);
}
