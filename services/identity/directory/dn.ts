/** One `attribute=value` of a distinguished name. */
export interface Rdn {
  attribute: string;
  value: string;
}

const SPECIAL = /["+,;<>=\\\p{Cc}]|^[ #]| $/gu;

/** A value as it may stand in a distinguished name (RFC 4514), whatever is in it. */
export const dnValue = (value: string): string =>
  value.replace(SPECIAL, found => `\\${found.charCodeAt(0).toString(16).padStart(2, '0')}`);

/** Reads one value from `at` on; null for what is no plain text: hexadecimal, or an escape that is none. */
function readValue(text: string, at: number): { value: string; end: number } | null {
  const bytes: Buffer[] = [];
  let end = at;
  while (text[end] === ' ') end += 1;
  if (text[end] === '#') return null;
  // Up to here spaces count: behind it they are padding unless something follows.
  let kept = 0;
  while (end < text.length && !',;+'.includes(text.charAt(end))) {
    const rest = text.slice(end, end + 3);
    const hex = /^\\([0-9a-f]{2})/i.exec(rest)?.[1];
    const escaped = hex === undefined ? /^\\([ "#+,;<=>\\])/.exec(rest)?.[1] : undefined;
    if (text[end] === '\\' && hex === undefined && escaped === undefined) return null;
    const plain = String.fromCodePoint(text.codePointAt(end) ?? 0);
    bytes.push(hex === undefined ? Buffer.from(escaped ?? plain, 'utf8') : Buffer.from(hex, 'hex'));
    end += hex !== undefined ? 3 : escaped !== undefined ? 2 : plain.length;
    if (hex !== undefined || escaped !== undefined || plain !== ' ') kept = bytes.length;
  }
  return { value: Buffer.concat(bytes.slice(0, kept)).toString('utf8'), end };
}

/** The parts of a distinguished name, the entry's own first. Null for one with several values in a part, or that cannot be read. */
export function parseDn(text: string): Rdn[] | null {
  const parts: Rdn[] = [];
  let at = 0;
  while (at < text.length) {
    const name = /^\s*([\w.-]+)\s*=/.exec(text.slice(at));
    if (!name) return null;
    const read = readValue(text, at + name[0].length);
    if (read === null || text[read.end] === '+') return null;
    parts.push({ attribute: (name[1] ?? '').toLowerCase(), value: read.value });
    at = read.end + 1;
  }
  return parts;
}

const normal = (parts: readonly Rdn[]): string =>
  JSON.stringify(
    parts.map(({ attribute, value }) => [attribute, value.trim().replace(/\s+/g, ' ').toLowerCase()]),
  );

/** Whether two names are of one entry, as most attributes compare: letters of both cases are the same. */
export const sameDn = (one: readonly Rdn[], other: readonly Rdn[]): boolean => normal(one) === normal(other);
