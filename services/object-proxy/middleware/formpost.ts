import { createHmac } from 'node:crypto';
import { must, secretsEqual } from '@folsom/core';
import {
  bytesFromUtf8,
  dropBody,
  quotePath,
  REASONS,
  type RequestBody,
  type ServerResponse,
  utf8FromBytes,
} from '@folsom/swift-http';
import { type ProxyApp, type ProxyRequest, preAuthorized } from '../request.ts';
import { FormInvalid, type FormPart, formParts, parseAttributes } from './form-parts.ts';
import type { Middleware } from './middleware.ts';
import { tempUrlKey } from './temp-url-key.ts';

const VALUE_BYTES_MAX = 4096;
const FIELDS_MAX = 1000;

interface Outcome {
  status: string;
  message: string;
}

/** Uploads from HTML forms whose hidden fields the owner of the account has signed. */
export const formPost: Middleware = (app, _conf, tools) => async request => {
  if (request.method !== 'POST') return app(request);
  const { value, attributes } = parseAttributes(request.headers.get('content-type') ?? '');
  if (value !== 'multipart/form-data' || !attributes.boundary) return app(request);
  try {
    return await translate(app, request, attributes.boundary, tools.world.clock.now() / 1000);
  } catch (error) {
    if (!(error instanceof FormInvalid)) throw error;
    return answerText('400 Bad Request', `FormPost: ${error.message}`);
  }
};

function answerText(
  status: string,
  body: string,
  headers: [string, string][] = [['content-type', 'text/plain']],
): ServerResponse {
  const code = Number(status.slice(0, 3));
  const bytes = Buffer.from(body, 'latin1');
  return {
    status: code,
    reason: status.slice(4),
    headers: new Map([...headers, ['content-length', String(bytes.length)]]),
    body: bytes,
  };
}

/** `max file count exceeded` → `Max File Count Exceeded`. */
const titled = (text: string): string =>
  text
    .toLowerCase()
    .replace(/(^|[^a-z])([a-z])/g, (_, before: string, letter: string) => before + letter.toUpperCase());

async function translate(
  app: ProxyApp,
  request: ProxyRequest,
  boundary: string,
  now: number,
): Promise<ServerResponse> {
  const match = /^\/v1\/([^/]+)\/([^/]+)/.exec(request.path);
  const key = match
    ? await tempUrlKey(app, request, must(match[1], 'the pattern has group 1'), 'FormPost')
    : null;
  const fields = new Map<string, string>();
  let outcome: Outcome | null = null;
  let files = 0;
  let parts = 0;
  for await (const part of formParts(request.body, boundary)) {
    if (++parts > FIELDS_MAX) throw new FormInvalid('too many fields');
    const { value: disposition, attributes } = parseAttributes(part.headers.get('content-disposition') ?? '');
    if (disposition === 'form-data' && attributes.filename) {
      files++;
      const most = integer(fields.get('max_file_count'), 'max_file_count not an integer');
      if (files > most) {
        outcome = { status: '400 Bad Request', message: 'max file count exceeded' };
        break;
      }
      fields.set('filename', attributes.filename);
      const type = part.headers.get('content-type');
      if (!fields.has('content-type') && type !== undefined)
        fields.set('content-type', type || 'application/octet-stream');
      outcome = await upload(app, request, fields, part, key, now);
      if (!outcome.status.startsWith('2')) break;
    } else {
      let text = '';
      for (let chunk = await part.read(); chunk !== null; chunk = await part.read()) {
        if (text.length < VALUE_BYTES_MAX)
          text += chunk.toString('latin1').slice(0, VALUE_BYTES_MAX - text.length);
      }
      if (attributes.name) fields.set(attributes.name.toLowerCase(), text.replace(/[\r\n-]+$/, ''));
    }
  }
  outcome ??= { status: '400 Bad Request', message: 'no files to process' };
  const redirect = fields.get('redirect');
  if (!redirect) {
    return answerText(
      outcome.status,
      outcome.status + (outcome.message ? `\r\nFormPost: ${titled(outcome.message)}` : ''),
    );
  }
  const target = `${redirect}?status=${outcome.status.slice(0, 3)}&message=${quotePath(outcome.message)}`;
  const html = target.replace(/"/g, '&quot;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
  return answerText(
    '303 See Other',
    `<html><body><p><a href="${html}">Click to continue...</a></p></body></html>`,
    [['location', target]],
  );
}

function integer(text: string | undefined, problem: string): number {
  if (!text) return 0;
  if (!/^\s*[+-]?\d{1,15}\s*$/.test(text)) throw new FormInvalid(problem);
  return Number(text);
}

async function upload(
  app: ProxyApp,
  request: ProxyRequest,
  fields: Map<string, string>,
  part: FormPart,
  key: string | null,
  now: number,
): Promise<Outcome> {
  if (!key) return { status: '401 Unauthorized', message: 'invalid signature' };
  const maxSize = integer(fields.get('max_file_size'), 'max_file_size not an integer');
  if (integer(fields.get('expires'), 'expired not an integer') < now) {
    return { status: '401 Unauthorized', message: 'form expired' };
  }
  const signed = [
    bytesFromUtf8(request.path),
    fields.get('redirect') || '',
    fields.get('max_file_size') || '0',
    fields.get('max_file_count') || '0',
    fields.get('expires') || '0',
  ].join('\n');
  const expected = createHmac('sha1', Buffer.from(key, 'latin1'))
    .update(Buffer.from(signed, 'latin1'))
    .digest('hex');
  if (!secretsEqual(expected, fields.get('signature') || 'invalid')) {
    return { status: '401 Unauthorized', message: 'invalid signature' };
  }
  let path = request.path;
  if (!path.endsWith('/') && path.split('/').length < 5) path += '/';
  const name = must(fields.get('filename'), 'fields has filename');
  path += utf8FromBytes(name) ?? name;
  let size = 0;
  const body: RequestBody = {
    length: null,
    read: async () => {
      const chunk = await part.read();
      size += chunk?.length ?? 0;
      if (size > maxSize) throw new FormInvalid('max_file_size exceeded');
      return chunk;
    },
    cancel: () => {},
  };
  const put = preAuthorized(request, 'FormPost', { method: 'PUT', path, body, source: 'FP' });
  put.headers.set('transfer-encoding', 'chunked');
  const type = fields.get('content-type');
  if (type) put.headers.set('content-type', type);
  const response = await app(put);
  dropBody(response);
  return { status: `${response.status} ${response.reason ?? REASONS[response.status] ?? ''}`, message: '' };
}
