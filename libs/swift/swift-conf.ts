import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { must } from '@folsom/core';

/** A section of one of swift's conf files, with the values of `[DEFAULT]` where it has none of its own. */
export interface ConfSection {
  readonly name: string;
  /** Names as written (lower case as ConfigParser reads them). */
  readonly values: Readonly<Record<string, string>>;
  has(option: string): boolean;
  str(option: string, fallback: string): string;
  int(option: string, fallback: number): number;
  float(option: string, fallback: number): number;
  /** true, 1, yes, on, t and y are true, anything else is false. */
  bool(option: string, fallback: boolean): boolean;
  /** Separated by commas. */
  list(option: string, fallback: readonly string[]): string[];
}

export interface SwiftConf {
  readonly path: string;
  /** Section names in the order of the file, without DEFAULT. */
  readonly sections: readonly string[];
  hasSection(name: string): boolean;
  /** The section, or one that has only the defaults. */
  section(name: string): ConfSection;
  /** The names of `[pipeline:main]`, outermost first; empty if there is none. */
  readonly pipeline: readonly string[];
}

export class ConfError extends Error {
  override readonly name = 'ConfError';
}

const TRUE_VALUES = new Set(['true', '1', 'yes', 'on', 't', 'y']);

/** Whether an option or header value means yes. */
const isTrue = (value: string | undefined): boolean =>
  value !== undefined && TRUE_VALUES.has(value.trim().toLowerCase());

/** Reads a conf file, or the `.conf` files of a directory one after the other. */
export function readConf(path: string, defaults: Record<string, string> = {}): SwiftConf {
  const files = statSync(path).isDirectory()
    ? readdirSync(path)
        .filter(name => name.endsWith('.conf') && !name.startsWith('.'))
        .sort()
        .map(name => join(path, name))
    : [path];
  return parseConf(files.map(file => readFileSync(file, 'utf8')).join('\n'), path, defaults);
}

/** Reads the text of a conf file; `path` is for messages. */
export function parseConf(text: string, path = 'conf', defaults: Record<string, string> = {}): SwiftConf {
  const shared: Record<string, string> = { ...defaults };
  const sections = new Map<string, Record<string, string>>();
  let current: Record<string, string> | null = null;
  let last: string | null = null;
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = raw.replace(/\s+$/, '');
    if (line === '' || /^[#;]/.test(line.trimStart()) || /^rem\s/i.test(line)) continue;
    if (/^\s/.test(line) && current && last !== null) {
      current[last] += `\n${line.trim()}`;
      continue;
    }
    const header = /^\[([^\]]+)\]$/.exec(line.trim());
    if (header) {
      const name = must(header[1], 'the pattern has group 1').trim();
      current = name === 'DEFAULT' ? shared : (sections.get(name) ?? {});
      if (name !== 'DEFAULT') sections.set(name, current);
      last = null;
      continue;
    }
    const option = /^(?:set\s+)?([^=:\s][^=:]*?)\s*[=:]\s*(.*)$/.exec(line.trim());
    if (!option || !current)
      throw new ConfError(`${path}: line ${index + 1} is neither a section nor an option`);
    last = must(option[1], 'the pattern has group 1').toLowerCase();
    current[last] = must(option[2], 'the pattern has group 2').replace(/\s+;.*$/, '');
  }
  const section = (name: string): ConfSection =>
    confSection({ ...shared, ...sections.get(name) }, name, path);
  const pipeline = sections.get('pipeline:main')?.pipeline ?? '';
  return {
    path,
    sections: [...sections.keys()],
    hasSection: name => sections.has(name),
    section,
    pipeline: pipeline.split(/\s+/).filter(Boolean),
  };
}

/** A section made of plain values, for compositions and tests. */
export function confSection(values: Record<string, string>, name = 'section', path = 'conf'): ConfSection {
  const number = (option: string, fallback: number, whole: boolean): number => {
    const text = values[option];
    if (text === undefined || text.trim() === '') return fallback;
    const value = Number(text.trim());
    if (!(whole ? /^[+-]?\d+$/ : /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i).test(text.trim())) {
      throw new ConfError(`${path}: [${name}] ${option} = ${text} is not a ${whole ? 'whole ' : ''}number`);
    }
    return value;
  };
  return {
    name,
    values,
    has: option => values[option] !== undefined,
    str: (option, fallback) => values[option] ?? fallback,
    int: (option, fallback) => number(option, fallback, true),
    float: (option, fallback) => number(option, fallback, false),
    bool: (option, fallback) => (values[option] === undefined ? fallback : isTrue(values[option])),
    list: (option, fallback) =>
      values[option] === undefined
        ? [...fallback]
        : values[option]
            .split(',')
            .map(item => item.trim())
            .filter(Boolean),
  };
}

/**
 * `swift_hash_path_suffix` of `[swift-hash]`.
 * @throws ConfError if it is missing: objects written under another suffix would never be found again.
 */
export function hashPathSuffix(conf: SwiftConf): string {
  const suffix = conf.section('swift-hash').str('swift_hash_path_suffix', '');
  if (suffix === '') {
    throw new ConfError('[swift-hash]: swift_hash_path_suffix missing from /etc/swift/swift.conf');
  }
  return suffix;
}
