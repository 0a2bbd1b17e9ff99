import { store } from './store.js';
import { t } from './text.js';

/** Who is logged in: what GET /api/session says; null for nobody, undefined before it is known. */
export const session = store(/** @type {any} */ (undefined));

/** Something went wrong at a service or on the way: `message` may be shown. */
export class ApiError extends Error {
  constructor(status, message, { name = '', requestId = '', retryAfter = 0 } = {}) {
    super(message);
    this.status = status;
    this.code = name;
    this.requestId = requestId;
    this.retryAfter = retryAfter;
  }
}

const QUICK_RETRY_S = 30;

/**
 * A request to the console's backend. JSON comes back parsed, anything else as text.
 * @param {string} method
 * @param {string} url
 * @param {{ body?: unknown, headers?: Record<string, string>, background?: boolean, signal?: AbortSignal }} [options]
 * @returns {Promise<{ body: any, headers: Headers, status: number }>}
 */
export async function request(method, url, options = {}) {
  const { body, background, signal } = options;
  const headers = new Headers(options.headers);
  if (body !== undefined && !headers.has('content-type')) headers.set('content-type', 'application/json');
  if (!headers.has('accept')) headers.set('accept', 'application/json');
  if (background) headers.set('x-background', '1');
  if (method !== 'GET' && method !== 'HEAD') headers.set('x-csrf-token', session.get()?.csrf ?? '');
  const sent = typeof body === 'string' || body === undefined ? body : JSON.stringify(body);
  let response;
  try {
    response = await fetch(url, { method, headers, body: sent, signal, credentials: 'same-origin' });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, t('fault.network'), { name: 'network' });
  }
  const text = await response.text();
  const json = /^application\/json/.test(response.headers.get('content-type') ?? '');
  const parsed = json && text !== '' ? safeParse(text) : text;
  if (response.ok || response.status === 300)
    return { body: parsed, headers: response.headers, status: response.status };
  const error = errorOf(response, parsed);
  if (response.status === 401 && session.get() && !url.startsWith('/api/cloud/object-store'))
    session.set(null);
  // Folsom counts writes by the minute; what was refused for that has not happened.
  if (error.status === 413 && error.retryAfter > 0 && error.retryAfter <= QUICK_RETRY_S && !background) {
    await new Promise(resolve => setTimeout(resolve, error.retryAfter * 1000));
    return request(method, url, options);
  }
  throw error;
}

function safeParse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Each service words its faults in its own shape. */
export function errorOf(response, body) {
  const requestId =
    response.headers.get('x-compute-request-id') ?? response.headers.get('x-openstack-request-id') ?? '';
  const retryAfter = Number(response.headers.get('retry-after')) || 0;
  const { status } = response;
  let message = '';
  let name = '';
  if (typeof body === 'object' && body !== null) {
    const [key, inner] = Object.entries(body)[0] ?? [];
    name = inner?.name ?? key ?? '';
    message = inner?.message ?? inner?.title ?? '';
  } else if (typeof body === 'string') {
    // Paste's pages: a title, then the reason.
    message = body
      .replace(/<head>[\s\S]*?<\/head>/i, '')
      .replace(/<[^>]+>/g, ' ')
      .replace(/^\s*\d{3} [A-Z][\w ]+/, '')
      .replace(/\s+/g, ' ')
      .trim()
      .slice(0, 500);
  }
  const own = t(`fault.${name}`);
  if (own !== `fault.${name}`) message = own;
  return new ApiError(status, message || t('fault.status', { status }), { name, requestId, retryAfter });
}

/** A path of parts, each of them encoded. @param {readonly (string | number)[]} parts */
export const path = (...parts) => parts.map(part => encodeURIComponent(String(part))).join('/');

const CLOUD = '/api/cloud/';

/** A request to a service of the cloud. */
export const cloud = {
  url: (service, where) => `${CLOUD}${service}/${where}`,
  get: async (service, where, options) => (await request('GET', CLOUD + service + '/' + where, options)).body,
  post: async (service, where, body, options) =>
    (await request('POST', CLOUD + service + '/' + where, { ...options, body })).body,
  put: async (service, where, body, options) =>
    (await request('PUT', CLOUD + service + '/' + where, { ...options, body })).body,
  delete: async (service, where, options) =>
    (await request('DELETE', CLOUD + service + '/' + where, options)).body,
  /** Status, headers and body. */
  full: (method, service, where, options) => request(method, CLOUD + service + '/' + where, options),
};

/** Header values are bytes; Folsom's are UTF-8. */
export const headerText = text => {
  let out = '';
  for (const byte of new TextEncoder().encode(String(text).replace(/[\r\n]+/g, ' ')))
    out += String.fromCharCode(byte);
  return out;
};
export const textOfHeader = value => {
  if (value === null || value === undefined) return '';
  const codes = Array.from(value, c => c.charCodeAt(0));
  return codes.every(code => code < 256) ? new TextDecoder().decode(Uint8Array.from(codes)) : value;
};

/**
 * Sends a file, with progress; the browser streams it from disk.
 * @param {string} method
 * @param {string} url
 * @param {Blob | null} file
 * @param {{ headers?: Record<string, string>, onProgress?: (part: number, sent: number) => void, signal?: AbortSignal }} options
 */
export function upload(method, url, file, { headers = {}, onProgress, signal }) {
  return new Promise((resolve, reject) => {
    const xhr = new XMLHttpRequest();
    xhr.open(method, url);
    for (const [name, value] of Object.entries(headers)) xhr.setRequestHeader(name, value);
    xhr.setRequestHeader('x-csrf-token', session.get()?.csrf ?? '');
    xhr.setRequestHeader('accept', 'application/json');
    xhr.upload.onprogress = event =>
      onProgress?.(event.total > 0 ? event.loaded / event.total : 1, event.loaded);
    xhr.onerror = () => reject(new ApiError(0, t('fault.network'), { name: 'network' }));
    xhr.onabort = () => reject(new DOMException('cancelled', 'AbortError'));
    xhr.onload = () => {
      const headersOf = { get: name => xhr.getResponseHeader(name) };
      const json = /^application\/json/.test(xhr.getResponseHeader('content-type') ?? '');
      const body = json ? safeParse(xhr.responseText) : xhr.responseText;
      if (xhr.status >= 200 && xhr.status < 300) resolve(body);
      else reject(errorOf({ status: xhr.status, headers: headersOf }, body));
    };
    signal?.addEventListener('abort', () => xhr.abort(), { once: true });
    xhr.send(file);
  });
}

/** Lets the browser save what the page has. */
export function saveText(name, text, type = 'text/plain') {
  saveFrom(URL.createObjectURL(new Blob([text], { type })), name);
}

/** Lets the browser save what an address of ours answers. */
export function saveFrom(url, name = '') {
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
}
