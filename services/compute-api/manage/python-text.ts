import { must } from '@folsom/core';
/** Values as Python 2 prints them: scripts read these tables. */

export const shown = (value: unknown): string => {
  if (value === null || value === undefined) return 'None';
  if (value === true) return 'True';
  if (value === false) return 'False';
  return String(value);
};

/** `%-18s`. */
export const left = (value: unknown, width: number): string => shown(value).padEnd(width);

/** `%8s`. */
export const right = (value: unknown, width: number): string => shown(value).padStart(width);

/** `1.0`, `0.5`. */
export const floating = (value: number): string => (Number.isInteger(value) ? `${value}.0` : String(value));

/** `u'text'`. */
export function unicodeRepr(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  let out = '';
  for (const char of text) {
    const code = must(char.codePointAt(0), 'a character has a code');
    if (char === '\\' || char === quote) out += `\\${char}`;
    else if (char === '\n') out += '\\n';
    else if (char === '\r') out += '\\r';
    else if (char === '\t') out += '\\t';
    else if (code < 0x20 || (code >= 0x7f && code <= 0xff)) out += `\\x${code.toString(16).padStart(2, '0')}`;
    else if (code > 0xffff) out += `\\U${code.toString(16).padStart(8, '0')}`;
    else if (code > 0xff) out += `\\u${code.toString(16).padStart(4, '0')}`;
    else out += char;
  }
  return `u${quote}${out}${quote}`;
}

/** `{u'key': u'value'}`. */
export const unicodeDict = (values: Readonly<Record<string, string | null>>): string =>
  `{${Object.entries(values)
    .map(([key, value]) => `${unicodeRepr(key)}: ${value === null ? 'None' : unicodeRepr(value)}`)
    .join(', ')}}`;

/** `['a', 'b']`. */
export const textList = (values: readonly string[]): string =>
  `[${values.map(value => unicodeRepr(value).slice(1)).join(', ')}]`;
