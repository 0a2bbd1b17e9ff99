import { type Headers, parseHttpDate } from '@folsom/swift-http';

/** What a conditional request comes to: go on, 304, or 412. */
export type Verdict = 'go' | 'unchanged' | 'failed';

/** Whether a list of entity tags, quoted or not, holds this one; `*` holds all. */
function tagsHold(header: string, etag: string): boolean {
  if (header.trim() === '*') return true;
  return header.split(',').some(item => {
    const tag = item.trim().replace(/^W\//, '');
    return (tag.startsWith('"') && tag.endsWith('"') && tag.length > 1 ? tag.slice(1, -1) : tag) === etag;
  });
}

/** Judges the conditions of a GET. A date that cannot be read is no condition. */
export function judgeGet(headers: Headers, etag: string, timestamp: string): Verdict {
  const match = headers.get('if-match');
  if (match !== undefined && match.trim() !== '' && !tagsHold(match, etag)) return 'failed';
  const noneMatch = headers.get('if-none-match');
  if (noneMatch !== undefined && tagsHold(noneMatch, etag)) return 'unchanged';
  const ms = Number(timestamp) * 1000;
  const unmodified = date(headers.get('if-unmodified-since'));
  if (unmodified !== null && ms > unmodified) return 'failed';
  return noneMatch === undefined ? judgeModified(headers, ms) : 'go';
}

/** Judges the conditions of a HEAD, which knows only those that may answer 304. */
export function judgeHead(headers: Headers, etag: string, timestamp: string): Verdict {
  const noneMatch = headers.get('if-none-match');
  // Swift 1.7 takes `*` here for no condition.
  if (noneMatch !== undefined && noneMatch.trim() !== '*') {
    return tagsHold(noneMatch, etag) ? 'unchanged' : 'go';
  }
  return judgeModified(headers, Number(timestamp) * 1000);
}

/** Last-Modified has whole seconds. */
function judgeModified(headers: Headers, ms: number): Verdict {
  const since = date(headers.get('if-modified-since'));
  return since !== null && Math.floor(ms / 1000) * 1000 <= since ? 'unchanged' : 'go';
}

/** Whether an If-Range header still means this version; without one it does. */
export function ifRangeHolds(headers: Headers, etag: string, timestamp: string): boolean {
  const header = headers.get('if-range');
  if (header === undefined) return true;
  const since = parseHttpDate(header);
  if (since !== null) return Math.floor(Number(timestamp)) * 1000 <= since;
  return tagsHold(header, etag);
}

const date = (header: string | undefined): number | null =>
  header === undefined ? null : parseHttpDate(header);
