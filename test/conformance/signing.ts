import { createHmac } from 'node:crypto';
import { systemClock } from '@folsom/core';
import { quoted, type Target } from './target.ts';

const sign = (key: string, lines: readonly (string | number)[]): string =>
  createHmac('sha1', key).update(lines.join('\n')).digest('hex');

/** The account's key for signatures. */
export const SECRET = 'conformance-key';

const VALID_SECONDS = 600;

export interface Signing {
  key?: string;
  /** Unix time. */
  expires?: number;
  signature?: string;
}

/** A path with a temporary URL's signature, made of the unquoted name as swift checks it. */
export function signedPath(target: Target, method: string, name: string, signing: Signing = {}): string {
  const expires = signing.expires ?? Math.floor(systemClock.now() / 1000) + VALID_SECONDS;
  const signature =
    signing.signature ?? sign(signing.key ?? SECRET, [method, expires, `${target.root}/${name}`]);
  return `${target.root}/${quoted(name)}?temp_url_sig=${signature}&temp_url_expires=${expires}`;
}

export interface FormOptions {
  redirect?: string;
  maxBytes?: number;
  maxCount?: number;
  expires?: number;
  signature?: string;
  /** Further fields before the files. */
  fields?: Record<string, string>;
}

/** A browser's upload form for names that begin with `name`. */
export function formBody(
  target: Target,
  name: string,
  files: readonly (readonly [name: string, content: string])[],
  options: FormOptions = {},
): { headers: Record<string, string>; body: string } {
  const { redirect = '', maxBytes = 1000, maxCount = 5 } = options;
  const expires = options.expires ?? Math.floor(systemClock.now() / 1000) + VALID_SECONDS;
  const signature =
    options.signature ?? sign(SECRET, [`${target.root}/${name}`, redirect, maxBytes, maxCount, expires]);
  const boundary = 'conformance-boundary';
  const parts = Object.entries({
    redirect,
    max_file_size: String(maxBytes),
    max_file_count: String(maxCount),
    expires: String(expires),
    signature,
    ...options.fields,
  }).map(([field, value]) => `Content-Disposition: form-data; name="${field}"\r\n\r\n${value}`);
  for (const [file, content] of files) {
    parts.push(
      `Content-Disposition: form-data; name="file"; filename="${file}"\r\nContent-Type: text/plain\r\n\r\n${content}`,
    );
  }
  return {
    headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
    body: `${parts.map(part => `--${boundary}\r\n${part}\r\n`).join('')}--${boundary}--\r\n`,
  };
}
