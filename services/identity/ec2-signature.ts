import { createHmac } from 'node:crypto';
import { must, secretsEqual } from '@folsom/core';

/** A signed EC2 request as nova's EC2 API hands it over. */
export interface SignedRequest {
  signature: string;
  host: string;
  verb: string;
  path: string;
  params: Record<string, string>;
}

const hmac = (algorithm: 'sha1' | 'sha256', secret: string, text: string): string =>
  createHmac(algorithm, secret).update(text, 'utf8').digest('base64');

/** Percent-encoding as Amazon and Python's `urllib.quote` do it: everything but letters, digits and `-_.` and `safe`. */
const quote = (text: string, safe = ''): string =>
  encodeURIComponent(text.toWellFormed()).replace(/[!'()*~]/g, char =>
    safe.includes(char) ? char : `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );

/** Whether the request was signed with the secret: versions 0, 1 and 2, with or without the port in the host. */
export function isSignedWith(secret: string, request: SignedRequest): boolean {
  const hosts = [request.host, request.host.replace(/:\d+$/, '')];
  return hosts.some(host => {
    const expected = sign(secret, { ...request, host });
    return expected !== null && secretsEqual(request.signature, expected);
  });
}

function sign(secret: string, { params, verb, host, path }: SignedRequest): string | null {
  switch (params.SignatureVersion) {
    case '0':
      return hmac('sha1', secret, `${params.Action ?? ''}${params.Timestamp ?? ''}`);
    case '1': {
      const names = Object.keys(params).sort((a, b) => compare(a.toLowerCase(), b.toLowerCase()));
      return hmac('sha1', secret, names.map(name => name + params[name]).join(''));
    }
    case '2': {
      const all: Record<string, string> = { ...params, SignatureMethod: 'HmacSHA256' };
      const pairs = Object.keys(all)
        .sort(compare)
        .map(name => `${quote(name)}=${quote(must(all[name], 'name is in all'), '~')}`);
      return hmac('sha256', secret, `${verb}\n${host}\n${path}\n${pairs.join('&')}`);
    }
    default:
      return null;
  }
}

/** By code points, as Python sorts. */
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** When the request was signed, or until when it is good, in milliseconds since the epoch; null when it does not say. */
export function signedAt(params: Readonly<Record<string, string>>): {
  at: number | null;
  until: number | null;
} {
  const time = (text: string | undefined): number | null => {
    if (!text || !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z?$/.test(text)) return null;
    const ms = Date.parse(text.endsWith('Z') ? text : `${text}Z`);
    return Number.isNaN(ms) ? null : ms;
  };
  return { at: time(params.Timestamp), until: time(params.Expires) };
}

/** S3: the string that was signed stands in `token`, base64 with `-_`. */
export function isS3SignedWith(secret: string, token: string, signature: string): boolean {
  const expected = createHmac('sha1', secret).update(Buffer.from(token, 'base64url')).digest('base64');
  return secretsEqual(signature, expected);
}

/** The date inside a string signed for S3: its `x-amz-date`, its date line, or the end of a presigned URL in seconds. */
export function s3SignedAt(token: string): { at: number | null; until: number | null } {
  const lines = Buffer.from(token, 'base64url').toString('utf8').split('\n');
  const line = lines[3] ?? '';
  if (/^\d{9,11}$/.test(line)) return { at: null, until: Number(line) * 1000 };
  const amz = lines.find(item => /^x-amz-date:/i.test(item));
  const ms = Date.parse(line !== '' ? line : (amz?.slice(amz.indexOf(':') + 1).trim() ?? ''));
  return { at: Number.isNaN(ms) ? null : ms, until: null };
}
