import { HTTP_LIMITS } from './limits.ts';
import { type Headers, lowerName } from './message.ts';

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** Header names may hold UTF-8: that is how users name metadata. */
const HEADER_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z\x80-\xff]+$/;
/** TAB is a blank within a value. */
const NOT_IN_VALUE = /[\x00-\x08\x0a-\x1f\x7f]/;
const NOT_IN_TARGET = /[\x00-\x20\x7f]/;
const END = Buffer.from('\r\n\r\n');
const LF = 10;
const CR = 13;

/** How long a body is: bytes, or the framing that says where it ends. */
export type Framing = number | 'chunked' | 'close';

export interface RequestHead {
  method: string;
  target: string;
  version: '1.0' | '1.1';
  headers: Headers;
  framing: number | 'chunked';
  /** The connection may not carry another request. */
  mustClose: boolean;
}

export interface AnswerHead {
  status: number;
  reason: string;
  headers: Headers;
  framing: Framing;
  keep: boolean;
}

/**
 * Finds a head in the bytes received: `text` without its blank line and where the rest starts; null if it is not
 * whole yet, `bad` if it never will be.
 */
export function findHead(buffer: Buffer, bytesMax: number): { text: string; after: number } | 'bad' | null {
  let start = 0;
  while (start < buffer.length && (buffer[start] === CR || buffer[start] === LF)) start++;
  const end = buffer.indexOf(END, start);
  if ((end < 0 ? buffer.length : end) > bytesMax) return 'bad';
  if (end >= 0) return { text: buffer.toString('latin1', start, end), after: end + END.length };
  return hasBareLineFeed(buffer, start) ? 'bad' : null;
}

/** Such a head would never end. */
function hasBareLineFeed(buffer: Buffer, start: number): boolean {
  for (let at = buffer.indexOf(LF, start); at >= 0; at = buffer.indexOf(LF, at + 1))
    if (buffer[at - 1] !== CR) return true;
  return false;
}

/** The first bytes of what might become a request: a method and nothing else before its blank. */
export function mayBeRequest(buffer: Buffer): boolean {
  const text = buffer.toString('latin1', 0, Math.min(buffer.length, 64)).replace(/^(?:\r\n)+/, '');
  return /^(?:\r?|[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?: .*)?)$/s.test(text);
}

/** Whether a target may be sent or taken at all. */
export const isTarget = (target: string): boolean => target !== '' && !NOT_IN_TARGET.test(target);
export const isMethod = (method: string): boolean => TOKEN.test(method);
/** Whether a header may be sent: one that held a line end would be two. */
export const isHeader = (name: string, value: string): boolean =>
  name !== '' && !/[\x00-\x20\x7f:]/.test(name) && !/[\x00\r\n]/.test(value);

const endsChunked = (coding: string): boolean => /(?:^|,)[ \t]*chunked$/i.test(coding);

/** A path, a whole URL, or the server itself (RFC 9112, 3.2). What else a target is, node's parser takes for no request at all. */
const TARGET_FORM = /^(?:\/|https?:\/\/|\*$)/i;

/** Reads a request's head; a number is the status to refuse it with. */
export function parseRequestHead(head: string): RequestHead | number {
  const lineEnd = head.indexOf('\r\n');
  const first = lineEnd < 0 ? head : head.slice(0, lineEnd);
  const space = first.indexOf(' ');
  const lastSpace = first.lastIndexOf(' ');
  if (space <= 0 || lastSpace <= space) return 400;
  const method = first.slice(0, space);
  const target = first.slice(space + 1, lastSpace);
  const protocol = first.slice(lastSpace + 1);
  if (!isMethod(method) || !isTarget(target) || !TARGET_FORM.test(target)) return 400;
  if (protocol !== 'HTTP/1.1' && protocol !== 'HTTP/1.0') return 400;
  if (target.length > HTTP_LIMITS.targetCharsMax) return 414;
  const headers = parseFields(head, lineEnd);
  if (!headers) return 400;
  const coding = headers.get('transfer-encoding');
  const given = headers.get('content-length');
  const common = { method, target, version: protocol === 'HTTP/1.1' ? '1.1' : '1.0', headers } as const;
  if (coding !== undefined) {
    // Two framings at once are how requests are smuggled past a proxy.
    if (given !== undefined) return 400;
    if (coding.toLowerCase() !== 'chunked') {
      // Codings nobody here knows are the handler's to refuse; where the body ends must be clear all the same.
      return { ...common, framing: endsChunked(coding) ? 'chunked' : 0, mustClose: true };
    }
    headers.set('transfer-encoding', 'chunked');
    return { ...common, framing: 'chunked', mustClose: false };
  }
  if (given === undefined) return { ...common, framing: 0, mustClose: false };
  // A negative length is a request all the same, which swift refuses in its own words.
  if (!/^(?:\d{1,16}|-[1-9]\d{0,15})$/.test(given)) return 400;
  const length = Number(given);
  return { ...common, framing: Math.max(0, length), mustClose: length < 0 };
}

/** Reads an answer's head; a text says why it is none. `method` is the request's. */
export function parseAnswerHead(head: string, method: string): AnswerHead | string {
  const lineEnd = head.indexOf('\r\n');
  const match = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: ([^\x00-\x08\x0a-\x1f\x7f]*))?$/.exec(
    lineEnd < 0 ? head : head.slice(0, lineEnd),
  );
  if (!match) return 'does not speak HTTP';
  const status = Number(match[2]);
  const headers = parseFields(head, lineEnd);
  if (!headers) return 'sends bad headers';
  const keep = match[1] === '1' && !/close/i.test(headers.get('connection') ?? '');
  const coding = headers.get('transfer-encoding');
  const given = headers.get('content-length');
  let framing: Framing;
  if (method === 'HEAD' || status < 200 || status === 204 || status === 304) framing = 0;
  else if (coding !== undefined && given !== undefined) return 'frames its answer twice';
  else if (coding !== undefined) framing = endsChunked(coding) ? 'chunked' : 'close';
  else if (given !== undefined) {
    if (!/^\d{1,16}$/.test(given)) return 'sends a length that is none';
    framing = Number(given);
  } else framing = 'close';
  return { status, reason: match[3] ?? '', headers, framing, keep };
}

/** The header lines behind the first line; null if any of them is none or there are too many. */
function parseFields(head: string, firstEnd: number): Headers | null {
  const headers: Headers = new Map();
  let count = 0;
  for (let lineEnd = firstEnd; lineEnd >= 0; ) {
    const start = lineEnd + 2;
    lineEnd = head.indexOf('\r\n', start);
    const line = lineEnd < 0 ? head.slice(start) : head.slice(start, lineEnd);
    const colon = line.indexOf(':');
    if (colon <= 0 || ++count > HTTP_LIMITS.headerCountMax) return null;
    const rawName = line.slice(0, colon);
    const value = trimBlanks(line, colon + 1);
    if (!HEADER_NAME.test(rawName) || NOT_IN_VALUE.test(value)) return null;
    const name = lowerName(rawName);
    const before = headers.get(name);
    if (before === undefined) headers.set(name, value);
    else if (name === 'content-length' || name === 'transfer-encoding') return null;
    else if (name === 'host') {
      if (before !== value) return null;
    } else if (name === 'content-type') headers.set(name, value);
    else headers.set(name, `${before},${value}`);
  }
  return headers;
}

/** Blanks of HTTP only: bytes of UTF-8 look like other white space. */
function trimBlanks(line: string, from: number): string {
  let start = from;
  let end = line.length;
  const blank = (at: number): boolean => line.charCodeAt(at) === 32 || line.charCodeAt(at) === 9;
  while (start < end && blank(start)) start++;
  while (end > start && blank(end - 1)) end--;
  return line.slice(start, end);
}
