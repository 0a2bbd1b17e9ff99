import { type Headers, parseHttpDate } from '@folsom/swift-http';

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
