import { isUtf8 } from 'node:buffer';

/**
 * Messages as swift's servers see them. Header names are lower case; header values hold one character per byte
 * (latin1), exactly as they travel, so that nothing is lost between a client, a proxy and a storage server.
 */
export type Headers = Map<string, string>;

/** Lower case for header names, whose bytes beyond ASCII (users put UTF-8 into them) must stay as they are. */
export const lowerName = (name: string): string =>
  /[\x80-\xff]/.test(name) ? name.replace(/[A-Z]+/g, letters => letters.toLowerCase()) : name.toLowerCase();

/** A body that is pulled: nothing is read from its source before somebody asks. */
export interface BodyStream {
  /** The next bytes, or null at the end. Rejects when the source breaks. */
  read(): Promise<Buffer | null>;
  /** Lets go of the source without reading the rest. Safe at any time. */
  cancel(): void;
}

/** The body of a request. `length` is null for chunked bodies; 0 means that there is none. */
export interface RequestBody extends BodyStream {
  readonly length: number | null;
}

export interface ServerRequest {
  method: string;
  /** The request target as sent: quoted path and query. */
  target: string;
  version: '1.0' | '1.1';
  headers: Headers;
  body: RequestBody;
  remoteAddress: string;
}

export interface ServerResponse {
  status: number;
  /** Default: the usual phrase of the status. */
  reason?: string;
  headers: Headers;
  /** Null: no body. A stream needs `content-length` in the headers, else it is sent chunked. */
  body: Buffer | BodyStream | null;
}

export type ServerHandler = (request: ServerRequest) => Promise<ServerResponse>;

/** The client went away, or stopped in the middle of its body. */
export class ClientDisconnected extends Error {
  override readonly name = 'ClientDisconnected';
}

/** The client sends nothing for longer than it may. */
export class ClientTimeout extends Error {
  override readonly name = 'ClientTimeout';
}

/** The request's body is not framed as HTTP demands. */
export class BadFraming extends Error {
  override readonly name = 'BadFraming';
}

export const REASONS: Record<number, string> = {
  100: 'Continue',
  200: 'OK',
  201: 'Created',
  202: 'Accepted',
  203: 'Non-Authoritative Information',
  204: 'No Content',
  206: 'Partial Content',
  300: 'Multiple Choices',
  301: 'Moved Permanently',
  302: 'Found',
  303: 'See Other',
  304: 'Not Modified',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  406: 'Not Acceptable',
  408: 'Request Timeout',
  409: 'Conflict',
  411: 'Length Required',
  412: 'Precondition Failed',
  413: 'Request Entity Too Large',
  414: 'Request URI Too Long',
  416: 'Requested Range Not Satisfiable',
  417: 'Expectation Failed',
  422: 'Unprocessable Entity',
  497: 'Blacklisted',
  498: 'Rate Limited',
  499: 'Client Disconnect',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  503: 'Service Unavailable',
  507: 'Insufficient Storage',
};

const EXPLANATIONS: Record<number, string> = {
  202: 'The request is accepted for processing.',
  301: 'The resource has been moved to',
  400: 'The server could not comply with the request since it is either malformed or otherwise incorrect.',
  401:
    'This server could not verify that you are authorized to access the document you requested. Either you ' +
    'supplied the wrong credentials (e.g., bad password), or your browser does not understand how to supply ' +
    'the credentials required.',
  403: 'Access was denied to this resource.',
  404: 'The resource could not be found.',
  408: 'The server has waited too long for the request to be sent by the client.',
  409: 'There was a conflict when trying to complete your request.',
  411: 'Content-Length header required.',
  412: 'Request precondition failed.',
  413: 'The body of your request was too large for this server.',
  416: 'The range requested is not available.',
  422: 'Unable to process the contained instructions',
  499: 'This code is introduced to log the case when the connection is closed by client while HTTP server is processing its request',
  500: 'The server has either erred or is incapable of performing the requested operation.',
  503: 'The server is currently unavailable. Please try again at a later time.',
};

const escapeHtml = (text: string): string =>
  text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');

/** The part of a request that decides how a plain answer looks. */
export interface AnsweredRequest {
  method: string;
  headers: Headers;
}

/**
 * The standard answer with a status: a short explanation in plain text, or in HTML for those who accept it.
 * A `body` replaces the explanation; its type is then `text/html` unless `contentType` says otherwise. `detail` is
 * added to the explanation; for 301 it is the new place.
 */
export function answer(
  status: number,
  request: AnsweredRequest | null,
  options: {
    body?: string | Buffer;
    contentType?: string;
    headers?: Iterable<[string, string]>;
    detail?: string;
  } = {},
): ServerResponse {
  const headers: Headers = new Map(options.headers ?? []);
  if (status === 204 || status === 304) {
    if (status === 204) headers.set('content-length', '0');
    return { status, headers, body: null };
  }
  let body: Buffer;
  let type: string;
  if (options.body !== undefined) {
    body = typeof options.body === 'string' ? Buffer.from(options.body) : options.body;
    type = `${options.contentType ?? 'text/html'}; charset=UTF-8`;
  } else {
    if (request?.method === 'HEAD') {
      headers.set('content-type', 'text/html; charset=UTF-8');
      headers.set('content-length', '0');
      return { status, headers, body: null };
    }
    const line = `${status} ${REASONS[status] ?? ''}`;
    const accept = request?.headers.get('accept') ?? '';
    const html = accept.includes('html') || accept.includes('*/*');
    const moved = status === 301;
    const method = request?.method ?? '';
    const detail = options.detail ?? '';
    let explanation = EXPLANATIONS[status] ?? '';
    if (status === 405)
      explanation = `The method ${html ? escapeHtml(method) : method} is not allowed for this resource. `;
    if (html) {
      const shown = escapeHtml(detail);
      const text = moved
        ? `${explanation} <a href="${shown}">${shown}</a>;\nyou should be redirected automatically.\n\n\n`
        : `${explanation}<br /><br />\n${shown}\n\n`;
      body = Buffer.from(
        `<html>\n <head>\n  <title>${line}</title>\n </head>\n <body>\n  <h1>${line}</h1>\n  ${text}\n </body>\n</html>`,
      );
      type = 'text/html; charset=UTF-8';
    } else {
      const text = moved
        ? `${explanation} ${detail}; you should be redirected automatically.  `
        : `${explanation}\n\n ${detail}${status === 405 ? '' : '  '}`;
      body = Buffer.from(`${line}\n\n${text}`, 'utf8');
      type = 'text/plain; charset=UTF-8';
    }
  }
  headers.set('content-type', type);
  headers.set('content-length', String(body.length));
  return { status, headers, body };
}

/** Reads a whole body, at most `limit` bytes. Returns null if it is longer. */
export async function readAll(stream: BodyStream, limit: number): Promise<Buffer | null> {
  const parts: Buffer[] = [];
  let size = 0;
  for (;;) {
    const chunk = await stream.read();
    if (chunk === null) return parts.length === 1 ? parts[0]! : Buffer.concat(parts, size);
    size += chunk.length;
    if (size > limit) {
      stream.cancel();
      return null;
    }
    parts.push(chunk);
  }
}

/** Bytes that are there already, as a stream. */
export function bodyOf(bytes: Buffer): RequestBody {
  let rest: Buffer | null = bytes.length ? bytes : null;
  return {
    length: bytes.length,
    read: async () => {
      const chunk = rest;
      rest = null;
      return chunk;
    },
    cancel: () => {
      rest = null;
    },
  };
}

export const EMPTY_BODY: RequestBody = { length: 0, read: async () => null, cancel: () => {} };

/** The body of a response in one piece; only for answers known to be small. */
export async function responseBytes(response: ServerResponse, limit = 64 * 1024 * 1024): Promise<Buffer> {
  if (response.body === null) return Buffer.alloc(0);
  if (Buffer.isBuffer(response.body)) return response.body;
  const bytes = await readAll(response.body, limit);
  if (bytes === null) throw new Error(`answer longer than ${limit} bytes`);
  return bytes;
}

/** Lets go of a response nobody will read. */
export function dropBody(response: ServerResponse): void {
  if (response.body !== null && !Buffer.isBuffer(response.body)) response.body.cancel();
}

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

/** The first value of a query parameter; null when it is no UTF-8, undefined when absent. */
export function queryParameter(query: string, name: string): string | null | undefined {
  if (!query.includes(name)) return undefined;
  for (const part of query.split(/[&;]/)) {
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
    const last = out[max - 1]!;
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
