import { isUtf8 } from 'node:buffer';
import { must } from '@folsom/core';

const HEX = '0123456789ABCDEF';

/** Which bytes pass a URL unquoted, as Python's `quote(s, '/')` has it. */
const SAFE = new Uint8Array(256);
for (const char of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-/')
  SAFE[char.charCodeAt(0)] = 1;

const ALL_SAFE = /^[A-Za-z0-9_.\-/]*$/;

/** Quotes text (as UTF-8) for a path or header: letters, digits, `_.-/` stay. */
export function quotePath(text: string, alsoSafe = ''): string {
  if (ALL_SAFE.test(text)) return text;
  let out = '';
  for (const byte of Buffer.from(text, 'utf8')) {
    if (SAFE[byte] || alsoSafe.includes(String.fromCharCode(byte))) out += String.fromCharCode(byte);
    else out += `%${HEX[byte >> 4]}${HEX[byte & 15]}`;
  }
  return out;
}

/** Undoes `%XX`; what is no valid escape stays. Takes and gives one character per byte. */
export function unquoteBytes(text: string): string {
  if (!text.includes('%')) return text;
  return text.replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

/** Bytes held as characters → text; null if they are not UTF-8. */
export function utf8FromBytes(bytes: string): string | null {
  if (!/[\x80-\xff]/.test(bytes)) return bytes;
  const buffer = Buffer.from(bytes, 'latin1');
  return isUtf8(buffer) ? buffer.toString('utf8') : null;
}

/** Text → one character per byte of its UTF-8, the form of header values. */
export const bytesFromUtf8 = (text: string): string =>
  /^[\x00-\x7f]*$/.test(text) ? text : Buffer.from(text, 'utf8').toString('latin1');

/** Splits a request target; `valid` is false when the path is not UTF-8 (then `path` holds its bytes). */
export function parseTarget(target: string): { path: string; query: string; valid: boolean } {
  let raw = target;
  if (raw.charCodeAt(0) !== 47 && /^https?:\/\//i.test(raw))
    raw = raw.replace(/^https?:\/\/[^/?]*/i, '') || '/';
  const mark = raw.indexOf('?');
  const quoted = mark < 0 ? raw : raw.slice(0, mark);
  const query = mark < 0 ? '' : raw.slice(mark + 1);
  const bytes = unquoteBytes(quoted);
  const text = utf8FromBytes(bytes);
  return { path: text ?? bytes, query, valid: text !== null };
}

/**
 * A query parameter; null when it is no UTF-8, undefined when absent. Where one is given several times the last counts,
 * as in swift's listings; its temporary URLs take the first.
 */
export function queryParameter(
  query: string,
  name: string,
  which: 'first' | 'last' = 'last',
): string | null | undefined {
  if (query === '') return undefined;
  const parts = query.split(/[&;]/);
  if (which === 'last') parts.reverse();
  for (const part of parts) {
    const equals = part.indexOf('=');
    const key = unquoteBytes((equals < 0 ? part : part.slice(0, equals)).replace(/\+/g, ' '));
    if (key === name)
      return utf8FromBytes(unquoteBytes((equals < 0 ? '' : part.slice(equals + 1)).replace(/\+/g, ' ')));
  }
  return undefined;
}

/**
 * Splits a path into `min` to `max` segments as swift does; the last takes the rest when `rest`. Returns null where
 * swift finds the path invalid. Missing segments are null; an empty trailing one is kept as ''.
 */
export function splitPath(path: string, min: number, max: number, rest: boolean): (string | null)[] | null {
  const segments: string[] = [];
  let from = 0;
  while (segments.length < max) {
    const slash = path.indexOf('/', from);
    if (slash < 0) break;
    segments.push(path.slice(from, slash));
    from = slash + 1;
  }
  segments.push(path.slice(from));
  const count = segments.length;
  if (segments[0] !== '' || count < min + 1) return null;
  for (let i = 1; i <= min; i++) if (segments[i] === '') return null;
  const out: (string | null)[] = segments.slice(1, max + 1);
  if (!rest && out.length === max) {
    const last = must(out[max - 1], 'max - 1 is in out');
    const slash = last.indexOf('/');
    if (slash >= 0) {
      // One trailing slash is tolerated, more is another path.
      if (slash !== last.length - 1) return null;
      out[max - 1] = last.slice(0, slash);
      if (max <= min && out[max - 1] === '') return null;
    }
  }
  while (out.length < max) out.push(null);
  return out;
}
