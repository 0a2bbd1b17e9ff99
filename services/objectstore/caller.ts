import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Clock } from '@folsom/core';
import type { FastifyRequest } from 'fastify';

/** Asks identity who signed an S3 request (POST /s3tokens); null when the signature is refused. */
export type S3Login = (credentials: Record<string, unknown>) => Promise<{ tenantId: string | null } | null>;

interface CallerOptions {
  login: S3Login;
  /** nova-api's own key, with which it reads for the tenant that its access key ends in. */
  service: { access: string; secret: string };
  clock: Clock;
}

/** What follows the `?` that names a part of a bucket or object, and is signed. */
const SIGNED_QUERY =
  /^(acl|cors|delete|lifecycle|location|logging|notification|partNumber|policy|requestPayment|torrent|uploadId|uploads|versionId|versioning|versions|website|response-[a-z-]+)$/;
const AGE_MAX_MS = 900_000;

/** The tenant that signed the request; null for nobody. */
export async function tenantOf(request: FastifyRequest, options: CallerOptions): Promise<string | null> {
  const [, access, signature] =
    /^AWS (\S+):([A-Za-z0-9+/=]+)$/.exec(request.headers.authorization ?? '') ?? [];
  if (access === undefined || signature === undefined) return null;
  const text = signedText(request);
  const { service } = options;
  if (access.startsWith(`${service.access}:`)) {
    const expected = createHmac('sha1', service.secret).update(text).digest();
    const given = Buffer.from(signature, 'base64');
    const fits = given.length === expected.length && timingSafeEqual(given, expected);
    return fits && isFresh(request, options.clock) ? access.slice(service.access.length + 1) : null;
  }
  const token = Buffer.from(text).toString('base64');
  return (await options.login({ access, signature, token }))?.tenantId ?? null;
}

const isFresh = (request: FastifyRequest, clock: Clock): boolean =>
  Math.abs(Date.parse(request.headers.date ?? '') - clock.now()) <= AGE_MAX_MS;

/** What a signature of S3's second version is made over. */
function signedText(request: FastifyRequest): string {
  const header = (name: string): string => {
    const value = request.headers[name];
    return Array.isArray(value) ? value.join(',') : (value ?? '');
  };
  const amazon = Object.keys(request.headers)
    .filter(name => name.startsWith('x-amz-'))
    .sort();
  const [path = '', query = ''] = request.raw.url?.split('?', 2) ?? [];
  const named = query
    .split('&')
    .filter(pair => SIGNED_QUERY.test(pair.split('=', 1)[0] ?? ''))
    .sort();
  return [
    request.method,
    header('content-md5'),
    header('content-type'),
    amazon.includes('x-amz-date') ? '' : header('date'),
    ...amazon.map(name => `${name}:${header(name).trim()}`),
    path + (named.length > 0 ? `?${named.join('&')}` : ''),
  ].join('\n');
}
