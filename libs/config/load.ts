import { existsSync, readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type Logger, silentLogger } from '@folsom/core';
import { brokerNotice, isForeignBrokerOption } from './broker.ts';
import { parseCommandLine } from './command-line.ts';
import { type Assignment, type Assignments, buildConfig, type Config } from './config.ts';
import { ConfigError, type Origin, showOrigin } from './errors.ts';
import { type IniFile, readIni } from './ini.ts';
import { acceptedGroups, type NotHonoured, reportNotHonoured } from './not-honoured.ts';
import type { OptionGroup } from './options.ts';

export interface LoadOptions {
  /** Program name for `--help`. */
  program: string;
  declarations: readonly OptionGroup[];
  /** Options of the original that are accepted without effect, and why. */
  notHonoured?: readonly NotHonoured[];
  /** Read when the command line names no `--config-file`; those that do not exist are passed over. */
  files?: readonly string[];
  /** Read after the files when the command line names no `--config-dir`: every `*.conf`, sorted. */
  dirs?: readonly string[];
  /** Arguments without the interpreter and the program. */
  argv?: readonly string[];
  /** Defaults only the machine knows, e.g. `{ host: 'node1', my_ip: '192.0.2.2' }`. */
  facts?: Record<string, string>;
  /** false: the program's own arguments begin at the first word that is not an option. */
  interspersed?: boolean;
  /** `keep`: options the declarations do not know stay in `rest`. */
  unknownOptions?: 'refuse' | 'keep';
  /** Values given for this run alone; they rank above every file but those that `folsom up` writes. */
  settings?: readonly { group: string; name: string; text: string }[];
  /** Options other programs read from the same file: not worth a warning. `group.name`, or `name` of DEFAULT. */
  expected?: (group: string, name: string) => boolean;
  log?: Logger;
}

/**
 * Reads configuration: defaults < files in order < directories < command line. Throws {@link ConfigError} with
 * one sentence for anything wrong. Unknown options are kept in `config.unknown` and warned about once each.
 */
export function loadConfig(options: LoadOptions): Config {
  const log = options.log ?? silentLogger;
  const accepted = acceptedGroups(options.notHonoured ?? []);
  const line = parseCommandLine([...accepted, ...options.declarations], options.argv ?? [], options);
  const given = line.configFiles.length > 0;
  const files = given ? line.configFiles : (options.files ?? []).filter(file => existsSync(file));
  const dirs =
    line.configDirs.length > 0 ? line.configDirs : (options.dirs ?? []).filter(dir => existsSync(dir));
  // Asking for help must work without readable files.
  const names = line.wants ? [] : [...files.flatMap(withCompanions), ...dirs.flatMap(confFilesOf)];

  const assignments: Assignments = new Map();
  const assign = (group: string, name: string, text: string, origin: Origin) => {
    const texts = assignments.get(group) ?? new Map<string, Assignment[]>();
    assignments.set(group, texts);
    texts.set(name, [...(texts.get(name) ?? []), { text, origin }]);
  };
  const foreignBroker: string[] = [];
  const settle = () => {
    for (const { group, name, text } of options.settings ?? [])
      assign(group, name, text, { file: '--set', line: 0 });
  };
  const decided = names.findIndex(isDecided);
  for (const [index, ini] of names.map(name => readIni(name, 'oslo')).entries()) {
    if (index === decided) settle();
    collect(ini, assign);
    const notice = brokerNotice(ini);
    if (notice) foreignBroker.push(notice);
  }
  if (decided < 0) settle();
  for (const [key, texts] of line.values) {
    const [group, name] = key.split('\0') as [string, string];
    const origin = { file: `command line, --${name}`, line: 0 };
    for (const text of texts) assign(group, name, text, origin);
  }

  const config = buildConfig({
    program: options.program,
    declarations: options.declarations,
    assignments,
    files: names,
    rest: line.rest,
    wants: line.wants,
    ...(options.facts ? { facts: options.facts } : {}),
  });
  for (const notice of foreignBroker) log.warn(notice);
  report(config, options, log);
  return config;
}

/** A line for each option that has no effect and says why, and a warning for each that nobody knows. */
function report(config: Config, options: LoadOptions, log: Logger): void {
  const table = (options.notHonoured ?? []).filter(({ section, name }) => {
    const texts = config.raw(section, name);
    return !isForeignBrokerOption(name, texts.join(' '));
  });
  reportNotHonoured(config, table, log);
  const explained = new Set(table.map(({ section, name }) => `${section}\0${name}`));
  for (const { group, name, values, origin } of config.unknown) {
    if (isForeignBrokerOption(name, values.join(' ')) || options.expected?.(group, name)) continue;
    if (explained.has(`${group}\0${name.replaceAll('-', '_')}`)) continue;
    const label = group === 'DEFAULT' ? name : `[${group}] ${name}`;
    log.warn(`${showOrigin(origin)}: unknown option ${label}`);
  }
}

type Assign = (group: string, name: string, text: string, origin: Origin) => void;

// All assignments of a multi-valued option add up, over all files; of any other option the last one counts.
function collect(ini: IniFile, assign: Assign): void {
  for (const section of ini.sections) {
    for (const { key, value, line } of section.entries) {
      assign(section.name, key, value, { file: ini.file, line });
    }
  }
}

/** Folder of the files that `folsom up` writes beside those of an operator. */
const COMPANIONS = 'folsom.d';

/** Where `folsom up` writes what ranks below (`defaults`) and above (`decided`) an operator's `DIR/NAME.conf`. */
export function companionsOf(file: string): { defaults: string; decided: string } {
  const folder = join(dirname(file), COMPANIONS);
  return {
    defaults: join(folder, `defaults-${basename(file)}`),
    decided: join(folder, basename(file)),
  };
}

const isDecided = (file: string): boolean =>
  basename(dirname(file)) === COMPANIONS && !basename(file).startsWith('defaults-');

/** A file with what `folsom up` wrote beside it, so that every program given that file sees the cloud as it runs. */
function withCompanions(file: string): string[] {
  const { defaults, decided } = companionsOf(file);
  return [defaults, file, decided].filter(name => name === file || existsSync(name));
}

function confFilesOf(dir: string): string[] {
  try {
    return readdirSync(dir)
      .filter(name => name.endsWith('.conf'))
      .sort()
      .map(name => join(dir, name));
  } catch (error) {
    throw new ConfigError(`${dir}: cannot read the configuration directory: ${(error as Error).message}`);
  }
}

/** Configuration from plain values, for tests and compositions: `{ DEFAULT: { my_ip: '192.0.2.2' } }`. */
export function configFrom(
  declarations: readonly OptionGroup[],
  values: Record<
    string,
    Record<string, string | number | boolean | readonly string[] | null | undefined>
  > = {},
  extra: { program?: string; facts?: Record<string, string> } = {},
): Config {
  const assignments: Assignments = new Map();
  for (const [group, settings] of Object.entries(values)) {
    const texts = new Map<string, Assignment[]>();
    for (const [name, value] of Object.entries(settings)) {
      if (value === null || value === undefined) continue;
      const option = declarations.find(item => item.group === group && name in item.options)?.options[name];
      const items =
        typeof value === 'object'
          ? option?.kind === 'multi'
            ? [...value]
            : [value.join(',')]
          : [String(value)];
      texts.set(
        name,
        items.map(text => ({ text, origin: { file: 'given values', line: 0 } })),
      );
    }
    assignments.set(group, texts);
  }
  return buildConfig({
    program: extra.program ?? 'folsom',
    declarations,
    assignments,
    ...(extra.facts ? { facts: extra.facts } : {}),
  });
}

/**
 * The files Folsom's programs look for when none is named: the first `<project>.conf` and the first
 * `<program>.conf` in `~/.<project>`, `~`, `/etc/<project>`, `/etc`.
 */
export function defaultConfigFiles(project: string, program: string, home: string): string[] {
  const dirs = [join(home, `.${project}`), home, `/etc/${project}`, '/etc'];
  return [...new Set([project, program])]
    .map(name => dirs.map(dir => join(dir, `${name}.conf`)).find(file => existsSync(file)))
    .filter(file => file !== undefined);
}
