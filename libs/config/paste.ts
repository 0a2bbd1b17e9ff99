import { dirname, resolve } from 'node:path';
import { ConfigError } from './errors.ts';
import type { IniFile } from './ini.ts';

export interface PasteSection {
  /** e.g. `filter:cache`. */
  name: string;
  /** `[DEFAULT]` with what `set x = y` of this section replaced. */
  globals: Readonly<Record<string, string>>;
  /** The section's own settings, without `use`, `set x` and `get x`. */
  locals: Readonly<Record<string, string>>;
  /** Globals overlaid with locals: what most factories look at. */
  settings: Readonly<Record<string, string>>;
  /** Value of `use`, e.g. `egg:swift#proxy`. */
  use: string | undefined;
}

const INTERPOLATION_DEPTH_MAX = 10;

/**
 * One section of a paste.deploy file as its factory would receive it: `[DEFAULT]` values, `set` and `get`,
 * `%(name)s` interpolation with `here` and `__file__`. `defaults` are seen like a `[DEFAULT]` of lowest rank.
 */
export function pasteSection(
  ini: IniFile,
  name: string,
  defaults: Record<string, string> = {},
): PasteSection | undefined {
  const section = ini.section(name);
  if (!section) return undefined;
  const raw: Record<string, string> = { ...defaults, here: dirname(resolve(ini.file)), __file__: ini.file };
  for (const { key, value } of ini.section('DEFAULT')?.entries ?? []) raw[key] = value;
  const scope = { ...raw };
  for (const { key, value } of section.entries) scope[key.replace(/^set\s+/, '')] = value;

  const expand = (text: string, key: string, line: number, depth = 0): string => {
    if (depth > INTERPOLATION_DEPTH_MAX) {
      throw new ConfigError(`${ini.file}:${line}: option ${key} refers to itself`);
    }
    return text.replace(/%(?:\((\w[\w.-]*)\)s|%)/g, (_whole, wanted: string | undefined) => {
      if (wanted === undefined) return '%';
      // `set user = %(user)s-x` means the value of [DEFAULT].
      const found = wanted === key ? raw[wanted] : scope[wanted];
      if (found === undefined) {
        throw new ConfigError(`${ini.file}:${line}: option ${key} refers to ${wanted}, which is not set`);
      }
      return expand(found, key, line, depth + 1);
    });
  };

  const globals: Record<string, string> = { ...defaults };
  for (const { key, value, line } of ini.section('DEFAULT')?.entries ?? []) {
    globals[key] = expand(value, key, line);
  }
  const locals: Record<string, string> = {};
  for (const { key, value, line } of section.entries) {
    const set = /^set\s+(\S.*)$/.exec(key)?.[1];
    const get = /^get\s+(\S.*)$/.exec(key)?.[1];
    if (set !== undefined) globals[set] = expand(value, set, line);
    else if (get !== undefined) locals[get] = globals[value] ?? '';
    else if (key !== 'use') locals[key] = expand(value, key, line);
  }
  return {
    name,
    globals: Object.freeze(globals),
    locals: Object.freeze(locals),
    settings: Object.freeze({ ...globals, ...locals }),
    use: section.entries.find(entry => entry.key === 'use')?.value,
  };
}

/** The names in `pipeline = a b c` of `[pipeline:<name>]`, filters first, the application last. */
export function pastePipeline(ini: IniFile, name: string): string[] | undefined {
  const entry = ini.section(`pipeline:${name}`)?.entries.findLast(item => item.key === 'pipeline');
  return entry?.value.split(/\s+/).filter(part => part !== '');
}
