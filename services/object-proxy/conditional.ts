import { type Headers, parseHttpDate } from '@folsom/swift-http';

/** A range of bytes, both ends included. */
export interface ByteRange {
  first: number;
  last: number;
}

/**
 * What a `Range` header asks of a body of `length` bytes: a range, `null` if it cannot be had (also several ranges
 * at once, which swift does not serve), `undefined` if there is none to honour.
 */
export function wantedRange(header: string | undefined, length: number): ByteRange | null | undefined {
  const match = /^bytes\s*=\s*(.*)$/.exec(header ?? '');
  if (!match) return undefined;
  const parts = match[1]!.split(',').map(part => part.trim());
  const parsed = parts.map(part => /^(\d*)\s*-\s*(\d*)$/.exec(part));
  if (parsed.some(part => part === null || (part[1] === '' && part[2] === ''))) return undefined;
  if (parsed.some(part => part![1] !== '' && part![2] !== '' && Number(part![1]) > Number(part![2])))
    return undefined;
  if (parsed.length > 1) return null;
  const [, from, to] = parsed[0]!;
  if (from === '') {
    const count = Number(to);
    if (count === 0) return length > 0 ? { first: 0, last: length - 1 } : null;
    return count > length ? null : { first: length - count, last: length - 1 };
  }
  const first = Number(from);
  if (first >= length) return null;
  return { first, last: to === '' ? length - 1 : Math.min(Number(to), length - 1) };
}

const tagsOf = (header: string): string[] =>
  header.split(',').map(tag => tag.trim().replace(/^W\//, '').replace(/^"|"$/g, ''));

/** Whether a GET or HEAD may be answered 304. */
export function isNotModified(headers: Headers, etag: string, lastModifiedMs: number | null): boolean {
  const noneMatch = headers.get('if-none-match');
  if (noneMatch !== undefined) {
    const tags = tagsOf(noneMatch);
    return tags.includes('*') || tags.includes(etag);
  }
  const since = headers.get('if-modified-since');
  if (since === undefined || lastModifiedMs === null) return false;
  const at = parseHttpDate(since);
  return at !== null && lastModifiedMs <= at;
}
