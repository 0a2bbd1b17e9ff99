import { must } from '@folsom/core';
import { ConfigError, type Origin, showOrigin } from './errors.ts';
import { helpText } from './help.ts';
import type { Option, OptionGroup, OptionTable, OptionValues } from './options.ts';
import { parseBool, parseFloating, parseInteger, parseList } from './values.ts';

/** A text as it was given, and where. */
export interface Assignment {
  text: string;
  origin: Origin;
}

export interface UnknownOption {
  group: string;
  name: string;
  values: readonly string[];
  origin: Origin;
}

export interface Config {
  readonly program: string;
  /** Typed, frozen values of a declared group; wrong types were refused when the configuration was loaded. */
  of<T extends OptionTable>(group: OptionGroup<T>): OptionValues<T>;
  /** Whether a file or the command line sets the option. */
  isSet(group: string, name: string): boolean;
  /** Every text given for an option in order of rank, and where. The last one counts, or all where there may be several. */
  given(group: string, name: string): readonly Assignment[];
  /** Every text given for an option, declared or not, in order of rank. */
  raw(group: string, name: string): readonly string[];
  /** Names of the sections the files contain. */
  sections(): readonly string[];
  /** What the files say and no declaration knows. */
  readonly unknown: readonly UnknownOption[];
  /** Files that were read, in order. */
  readonly files: readonly string[];
  /** Arguments of the program that are not options. */
  readonly rest: readonly string[];
  /** `help` and `version` were asked for: the program prints and ends. */
  readonly wants: 'help' | 'version' | null;
  help(usage?: string): string;
  /** Every declared option with its value, secrets masked: for the log at start. */
  dump(): Record<string, Record<string, unknown>>;
}

export type Assignments = Map<string, Map<string, Assignment[]>>;

export interface ConfigParts {
  program: string;
  declarations: readonly OptionGroup[];
  /** Texts by group and name, in order of rank. */
  assignments: Assignments;
  /** Defaults that only the running machine knows (`host`, `my_ip`); by option name of DEFAULT. */
  facts?: Record<string, string>;
  files?: readonly string[];
  rest?: readonly string[];
  wants?: 'help' | 'version' | null;
}

const INTERPOLATION_DEPTH_MAX = 20;
const DEFAULT_ORIGIN: Origin = { file: 'default', line: 0 };

export function buildConfig(parts: ConfigParts): Config {
  const { assignments, declarations, facts = {} } = parts;
  const declared = new Map<string, Option<unknown>>();
  for (const { group, options } of declarations) {
    for (const [name, option] of Object.entries(options)) declared.set(`${group}\0${name}`, option);
  }

  const given = (group: string, name: string, option?: Option<unknown>): Assignment[] => {
    const texts = assignments.get(group);
    for (const key of [name, ...(option?.aliases ?? [])]) {
      const found = texts?.get(key) ?? texts?.get(key.replaceAll('_', '-'));
      if (found && found.length > 0) return found;
    }
    return [];
  };

  /** The text an option stands for inside another option's value. */
  const referred = (group: string, name: string): string | undefined => {
    for (const place of group === 'DEFAULT' ? ['DEFAULT'] : ['DEFAULT', group]) {
      const option = declared.get(`${place}\0${name}`);
      const last = given(place, name, option).at(-1);
      if (last) return last.text;
      if (place === 'DEFAULT' && facts[name] !== undefined) return facts[name];
      if (option) {
        const value = option.default;
        return value === null ? 'None' : Array.isArray(value) ? value.join(',') : String(value);
      }
    }
    return undefined;
  };

  // `$name`, `${name}` and `$$`; what names no option stays as it is (keystone's `$(tenant_id)s`).
  const expand = (text: string, group: string, name: string, origin: Origin, depth = 0): string => {
    if (depth > INTERPOLATION_DEPTH_MAX) {
      throw new ConfigError(`${showOrigin(origin)}: option ${name} refers to itself: ${text.slice(0, 80)}`);
    }
    if (!text.includes('$')) return text;
    return text.replace(
      /\$(?:\$|([A-Za-z_]\w*)|\{([A-Za-z_]\w*)\})/g,
      (whole, plain?: string, braced?: string) => {
        if (whole === '$$') return '$';
        const value = referred(group, plain ?? braced ?? '');
        return value === undefined ? whole : expand(value, group, name, origin, depth + 1);
      },
    );
  };

  const resolve = (group: string, name: string, option: Option<unknown>): unknown => {
    const found = given(group, name, option);
    const read = ({ text, origin }: Assignment): unknown =>
      convert(expand(text, group, name, origin), group, name, option, origin);
    if (found.length === 0) {
      const fact = group === 'DEFAULT' ? facts[name] : undefined;
      if (fact !== undefined) return read({ text: fact, origin: DEFAULT_ORIGIN });
      const fill = (text: unknown) =>
        typeof text === 'string' ? expand(text, group, name, DEFAULT_ORIGIN) : text;
      return Array.isArray(option.default) ? Object.freeze(option.default.map(fill)) : fill(option.default);
    }
    if (option.kind === 'multi') return Object.freeze(found.map(read));
    return read(must(found.at(-1), 'found is not empty'));
  };

  const values = new Map<OptionGroup, Record<string, unknown>>();
  for (const declaration of declarations) {
    const out: Record<string, unknown> = {};
    for (const [name, option] of Object.entries(declaration.options)) {
      out[name] = resolve(declaration.group, name, option);
    }
    values.set(declaration, Object.freeze(out));
  }

  const known = new Set<string>();
  for (const { group, options } of declarations) {
    for (const [name, option] of Object.entries(options)) {
      for (const key of [name, ...option.aliases]) known.add(`${group}\0${key}`);
    }
  }
  const unknown: UnknownOption[] = [];
  for (const [group, texts] of assignments) {
    for (const [name, found] of texts) {
      if (known.has(`${group}\0${name}`) || known.has(`${group}\0${name.replaceAll('-', '_')}`)) continue;
      unknown.push({
        group,
        name,
        values: found.map(item => item.text),
        origin: must(found[0], 'found is not empty').origin,
      });
    }
  }

  return {
    program: parts.program,
    of: <T extends OptionTable>(group: OptionGroup<T>) => {
      const found = values.get(group as OptionGroup);
      if (!found)
        throw new Error(`options of [${group.group}] were not declared when loading the configuration`);
      return found as OptionValues<T>;
    },
    isSet: (group, name) => given(group, name, declared.get(`${group}\0${name}`)).length > 0,
    given: (group, name) => given(group, name, declared.get(`${group}\0${name}`)),
    raw: (group, name) => given(group, name, declared.get(`${group}\0${name}`)).map(item => item.text),
    sections: () => [...assignments.keys()],
    unknown,
    files: parts.files ?? [],
    rest: parts.rest ?? [],
    wants: parts.wants ?? null,
    help: usage => helpText(parts.program, declarations, usage),
    dump: () => dumpValues(declarations, values),
  };
}

function dumpValues(
  declarations: readonly OptionGroup[],
  values: Map<OptionGroup, Record<string, unknown>>,
): Record<string, Record<string, unknown>> {
  const out: Record<string, Record<string, unknown>> = {};
  for (const declaration of declarations) {
    const section = out[declaration.group] ?? {};
    out[declaration.group] = section;
    for (const [name, option] of Object.entries(declaration.options)) {
      const value = must(values.get(declaration), 'values has declaration')[name];
      section[name] = option.secret && value !== null ? '***' : value;
    }
  }
  return out;
}

const EXPECTED = {
  str: 'text',
  int: 'a whole number',
  float: 'a number',
  bool: 'a boolean (true, false, yes, no, on, off, 1, 0)',
  list: 'a list',
  multi: 'text',
} as const;

function convert(
  text: string,
  group: string,
  name: string,
  option: Option<unknown>,
  origin: Origin,
): unknown {
  const refuse = (expected: string): never => {
    const shown = option.secret ? '***' : JSON.stringify(text.slice(0, 80));
    const label = group === 'DEFAULT' ? name : `[${group}] ${name}`;
    throw new ConfigError(`${showOrigin(origin)}: option ${label} must be ${expected}, not ${shown}`);
  };
  switch (option.kind) {
    case 'str':
    case 'multi':
      if (option.choices && !option.choices.includes(text)) {
        return refuse(`one of ${option.choices.join(', ')}`);
      }
      return text;
    case 'list':
      return Object.freeze(parseList(text));
    case 'bool':
      return parseBool(text) ?? refuse(EXPECTED.bool);
    case 'int':
    case 'float': {
      const value = option.kind === 'int' ? parseInteger(text) : parseFloating(text);
      if (value === undefined) return refuse(EXPECTED[option.kind]);
      if (option.min !== undefined && value < option.min) return refuse(`at least ${option.min}`);
      if (option.max !== undefined && value > option.max) return refuse(`at most ${option.max}`);
      return value;
    }
  }
}
