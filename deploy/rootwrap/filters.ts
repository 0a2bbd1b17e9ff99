import { accessSync, constants, readdirSync, readlinkSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type IniFile, readIni } from '@folsom/config';
import { must } from '@folsom/core';

/** One line of a filter file: what may be run as whom. */
export interface Filter {
  /** Whether it allows these words. */
  match(words: readonly string[]): boolean;
  /** The program and its arguments, with the user it runs as. */
  command(words: readonly string[]): { argv: string[]; user: string; env?: Record<string, string> };
  /** Path of the program. */
  path: string;
}

type Build = (...args: string[]) => Filter;

const commandFilter: Build = (path = '', user = 'root') => ({
  path,
  match: ([name]) => basename(path) === name,
  command: ([, ...rest]) => ({ argv: [path, ...rest], user }),
});

/** Every word matches the pattern of its place, and there are as many. */
const regExpFilter: Build = (path = '', user = 'root', ...patterns) => ({
  ...commandFilter(path, user),
  match: words =>
    words.length === patterns.length &&
    patterns.every((pattern, at) => {
      try {
        return new RegExp(`^(?:${pattern})$`).test(must(words[at], 'at is in words'));
      } catch {
        return false;
      }
    }),
});

/** dnsmasq with the two variables its lease script needs, in front as env would have them. */
const dnsmasqFilter: Build = (path = '', user = 'root') => ({
  path,
  match: ([flagfile = '', network = '', name]) =>
    flagfile.startsWith('FLAGFILE=') && /^NETWORK_ID=\d*$/.test(network) && name === 'dnsmasq',
  command: ([flagfile = '', network = '', , ...rest]) => ({
    argv: [path, ...rest],
    user,
    env: { FLAGFILE: flagfile.slice('FLAGFILE='.length), NETWORK_ID: network.slice('NETWORK_ID='.length) },
  }),
});

/** kill of a process that runs one program, with one of the signals given (none given: no signal may be named). */
const killFilter: Build = (user = 'root', program = '', ...signals) => ({
  ...commandFilter('/bin/kill', user),
  match: words => {
    if (words[0] !== 'kill' || words.length < 2 || words.length > 3) return false;
    const signal = words.length === 3 ? must(words[1], 'words has more than 1') : undefined;
    if (signal === undefined ? signals.length > 0 : !signals.includes(signal)) return false;
    const pid = must(words.at(-1), 'words is not empty');
    if (!/^[1-9]\d*$/.test(pid)) return false;
    try {
      return readlinkSync(`/proc/${pid}/exe`).replace(/ \(deleted\)$/, '') === program;
    } catch {
      return false;
    }
  },
});

const readFileFilter: Build = (file = '') => ({
  ...commandFilter('/bin/cat', 'root'),
  match: words => words.length === 2 && words[0] === 'cat' && words[1] === file,
});

/** Folsom's filters by the names they have in filter files. */
const CLASSES: Readonly<Record<string, Build>> = {
  CommandFilter: commandFilter,
  RegExpFilter: regExpFilter,
  DnsmasqFilter: dnsmasqFilter,
  KillFilter: killFilter,
  ReadFileFilter: readFileFilter,
};

/** The directories that `filters_path` names. @throws ConfigError when the file has none */
export function filterDirectories(configFile: string): string[] {
  const found = readIni(configFile, 'oslo')
    .section('DEFAULT')
    ?.entries.findLast(({ key }) => key === 'filters_path');
  if (found === undefined) throw new Error(`${configFile} has no filters_path`);
  return found.value.split(',').map(part => part.trim());
}

/** Filters of all files of the directories that only root may write; a file that others may write counts for nothing. */
export function loadFilters(directories: readonly string[], trusted = onlyRootWrites): Filter[] {
  return directories.flatMap(directory => {
    if (!trusted(directory)) return [];
    return readdirSync(directory)
      .sort()
      .map(name => join(directory, name))
      .filter(trusted)
      .flatMap(filtersOf);
  });
}

const filtersOf = (file: string): Filter[] => filtersIn(readIni(file));

/** The filters of one file; a class that does not exist allows nothing. */
export function filtersIn(ini: IniFile): Filter[] {
  const entries = ini.section('Filters')?.entries ?? [];
  return entries.flatMap(({ value }) => {
    const [name = '', ...args] = value.split(',').map(part => part.trim());
    const build = Object.hasOwn(CLASSES, name) ? CLASSES[name] : undefined;
    return build === undefined ? [] : [build(...args)];
  });
}

function onlyRootWrites(path: string): boolean {
  const info = statSync(path, { throwIfNoEntry: false });
  return info !== undefined && info.uid === 0 && (info.mode & 0o022) === 0;
}

/** The filter that allows the words; one whose program is there goes before one whose program is missing. */
export function matchFilter(filters: readonly Filter[], words: readonly string[]): Filter | undefined {
  const matching = filters.filter(filter => filter.match(words));
  return matching.find(({ path }) => executable(path)) ?? matching[0];
}

function executable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
