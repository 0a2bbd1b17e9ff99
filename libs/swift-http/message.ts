import { must } from '@folsom/core';
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
  /** The next bytes, at most as many as there is room for, into memory of the reader's; how many, 0 at the end. */
  readInto?(target: Buffer): Promise<number>;
  /**
   * Frees the memory of a chunk at once. Only for a reader that has copied its bytes and knows of nobody else who has
   * the chunk. Bodies whose chunks may be shared have no such thing.
   */
  free?(chunk: Buffer): void;
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

/** The answer to a request whose body broke off or is framed badly; null for any other error. */
export function brokenBodyAnswer(error: unknown, request: AnsweredRequest): ServerResponse | null {
  if (error instanceof BadFraming) return answer(400, request);
  if (error instanceof ClientTimeout) return answer(408, request);
  if (error instanceof ClientDisconnected) return answer(499, request);
  return null;
}

/** Reads a whole body, at most `limit` bytes. Returns null if it is longer. */
export async function readAll(stream: BodyStream, limit: number): Promise<Buffer | null> {
  const parts: Buffer[] = [];
  let size = 0;
  for (;;) {
    const chunk = await stream.read();
    if (chunk === null)
      return parts.length === 1 ? must(parts[0], 'parts is not empty') : Buffer.concat(parts, size);
    size += chunk.length;
    if (size > limit) {
      stream.cancel();
      return null;
    }
    parts.push(chunk);
  }
}

/** What reads any body into memory of the reader's; as `readInto` does, for those that cannot themselves. */
export function intoMemory(body: BodyStream): (target: Buffer) => Promise<number> {
  if (body.readInto) return target => must(body.readInto?.(target), 'it was there just now');
  let chunk: Buffer | null = null;
  let taken = 0;
  return async target => {
    while (chunk === null || chunk.length === 0) {
      chunk = await body.read();
      taken = 0;
      if (chunk === null) return 0;
    }
    const count = chunk.copy(target, 0, taken);
    taken += count;
    if (taken === chunk.length) {
      // Maybe nothing more is asked for.
      body.free?.(chunk);
      chunk = null;
    }
    return count;
  };
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
