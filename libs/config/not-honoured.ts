import type { Logger } from '@folsom/core';
import type { Config } from './config.ts';
import { showOrigin } from './errors.ts';
import { bool, type OptionGroup, options, str } from './options.ts';
import { parseBool } from './values.ts';

/** An option of the original that nothing here acts on. It is accepted, and named once at start where it is set. */
export interface NotHonoured {
  section: string;
  name: string;
  /** The original's default; null: not set. */
  default: string | boolean | null;
  /** Ends the sentence "… has no effect: ". */
  reason: string;
  /** Another value than the default would make another cloud of it, or one that its operator does not expect. */
  changes: boolean;
}

/** For options whose value nobody misses. */
export const QUIET = { changes: false };

/** Several options of a section with one reason. */
export const notHonoured = (
  section: string,
  reason: string,
  defaults: Readonly<Record<string, string | boolean | null>>,
  { changes = true }: { changes?: boolean } = {},
): NotHonoured[] =>
  Object.entries(defaults).map(([name, value]) => ({ section, name, default: value, reason, changes }));

/** What a command line accepts of them. */
export const acceptedGroups = (table: readonly NotHonoured[]): OptionGroup[] =>
  table.map(({ section, name, default: value }) =>
    options(section, { [name]: typeof value === 'boolean' ? bool(value) : str(null) }),
  );

/** One line for each that is set: a warning where the value differs from the default and would change something. */
export function reportNotHonoured(config: Config, table: readonly NotHonoured[], log: Logger): void {
  for (const option of table) {
    const last = config.given(option.section, option.name).at(-1);
    if (last === undefined) continue;
    const label = option.section === 'DEFAULT' ? option.name : `[${option.section}] ${option.name}`;
    const sentence = `${showOrigin(last.origin)}: option ${label} has no effect: ${option.reason}`;
    if (option.changes && !isDefault(option, last.text)) log.warn(sentence);
    else log.info(sentence);
  }
}

function isDefault({ default: value }: NotHonoured, text: string): boolean {
  const given = text.trim();
  if (typeof value === 'boolean') return parseBool(given) === value;
  return given === (value ?? '') || (value === null && given === 'None');
}
