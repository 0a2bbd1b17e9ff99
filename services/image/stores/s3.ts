import { createHmac } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { OptionValues } from '@folsom/config';
import type { World } from '@folsom/core';
import { type Door, type DoorAnswer, operatorDoor } from '@folsom/outbound';
import type { storeOptions } from '../options.ts';
import { measured } from './digest.ts';
import { checkTarget, discard, fetchFrom, lengthOf } from './fetching.ts';
import { type Store, storeFault } from './store.ts';

type Options = OptionValues<(typeof storeOptions)['options']>;

interface S3Location {
  scheme: 's3' | 's3+http' | 's3+https';
  accessKey: string;
  secretKey: string;
  /** Host, perhaps with a port and a path; no scheme. */
  service: string;
  bucket: string;
  key: string;
}

/** Keeps images as objects of an S3 service (signature version 2, as the services of the time and swift's own speak it). */
export function s3Store(options: Options, parts: { door: Door; world: World }): Store {
  const ownDoor = operatorDoor();
  const own = ownPlace(options);

  const send = (
    location: S3Location,
    method: string,
    key: string | null,
    extra: { headers?: Record<string, string>; body?: Readable | Buffer; signal?: AbortSignal } = {},
  ): Promise<DoorAnswer> => {
    const url = addressOf(location, key, options.s3_store_bucket_url_format);
    const date = new Date(parts.world.clock.now()).toUTCString();
    const type = extra.headers?.['content-type'] ?? '';
    const resource = `/${location.bucket}${key === null ? '/' : `/${encodeURIComponent(key)}`}`;
    const signature = createHmac('sha1', location.secretKey)
      .update(`${method}\n\n${type}\n${date}\n${resource}`)
      .digest('base64');
    return fetchFrom(url, {
      method,
      door: own !== null && location.service === own.service ? ownDoor : parts.door,
      headers: { ...extra.headers, date, authorization: `AWS ${location.accessKey}:${signature}` },
      ...(extra.body ? { body: extra.body } : {}),
      ...(extra.signal ? { signal: extra.signal } : {}),
    });
  };

  return {
    schemes: ['s3', 's3+http', 's3+https'],
    checkSource: async text => {
      await checkTarget(parts.door, `http://${parseS3Location(text).service}`);
    },
    get: async text => {
      const location = parseS3Location(text);
      const response = await send(location, 'GET', location.key);
      expectOk(response);
      return { size: lengthOf(response), data: response.body };
    },
    size: async text => {
      const location = parseS3Location(text);
      try {
        const response = await send(location, 'HEAD', location.key);
        expectOk(response);
        discard(response);
        return lengthOf(response) ?? 0;
      } catch (error) {
        if ((error as Error).name === 'SourceRefused') throw error;
        return 0;
      }
    },
    add: async ({ imageId, data, size, sizeMax, signal }) => {
      if (!own) throw storeFault('StoreAddDisabled');
      const location: S3Location = { ...own, key: imageId };
      await ensureBucket(send, location, options.s3_store_create_bucket_on_put);
      const head = await send(location, 'HEAD', imageId);
      discard(head);
      if (head.status < 300) throw storeFault('DuplicateImageData');
      if (head.status !== 404) expectOk(head);
      const source = measured(data, { sizeMax, signal });
      try {
        // S3 takes no object of unknown size: such data waits in a file until it is all there.
        const digest =
          size !== null && size > 0
            ? await put(send, location, Readable.from(source.chunks), size, signal)
            : await putBuffered(options, source, stream => put(send, location, stream, source.size, signal));
        const checksum = source.checksum();
        if (digest !== null && digest !== checksum) throw damaged();
        return { location: formatS3Location(location), size: source.size, checksum };
      } catch (error) {
        await send(location, 'DELETE', imageId)
          .then(discard)
          .catch(failure =>
            parts.world.log.error('an unfinished image could not be removed from S3', {
              image: imageId,
              error: failure,
            }),
          );
        throw error;
      }
    },
    delete: async text => {
      const location = parseS3Location(text);
      const response = await send(location, 'DELETE', location.key);
      expectOk(response);
      discard(response);
    },
    removeLeftovers: async (imageId, _context, keep) => {
      if (!own) return 0;
      const location: S3Location = { ...own, key: imageId };
      if (keep === formatS3Location(location)) return 0;
      const head = await send(location, 'HEAD', imageId);
      discard(head);
      if (head.status >= 300) return 0;
      discard(await send(location, 'DELETE', imageId));
      return 1;
    },
  };
}

type Send = (
  location: S3Location,
  method: string,
  key: string | null,
  extra?: { headers?: Record<string, string>; body?: Readable | Buffer; signal?: AbortSignal },
) => Promise<DoorAnswer>;

const damaged = () =>
  storeFault('BackendError', {}, { message: 'The image store holds other bytes than were sent.' });

/** Where buckets of Amazon's other services of the time stand. */
const REGIONS: Readonly<Record<string, string>> = {
  's3-eu-west-1.amazonaws.com': 'EU',
  's3-us-west-1.amazonaws.com': 'us-west-1',
  's3-ap-southeast-1.amazonaws.com': 'ap-southeast-1',
  's3-ap-northeast-1.amazonaws.com': 'ap-northeast-1',
};

async function ensureBucket(send: Send, location: S3Location, mayMake: boolean): Promise<void> {
  const head = await send(location, 'HEAD', null);
  discard(head);
  if (head.status < 300) return;
  if (head.status !== 404) expectOk(head);
  if (!mayMake) {
    const message =
      `The bucket ${location.bucket} does not exist in S3. Please set the ` +
      's3_store_create_bucket_on_put option to add bucket to S3 automatically.';
    throw storeFault('BackendError', {}, { message });
  }
  const region = REGIONS[location.service.replace(/[:/].*$/, '')];
  const body = Buffer.from(
    region === undefined
      ? ''
      : `<CreateBucketConfiguration><LocationConstraint>${region}</LocationConstraint></CreateBucketConfiguration>`,
  );
  const made = await send(location, 'PUT', null, {
    headers: { 'content-length': String(body.byteLength) },
    body,
  });
  expectOk(made);
  discard(made);
}

/** Resolves to the MD5 of what the service holds now, where it says so: the ETag of an object that came in one piece. */
async function put(
  send: Send,
  location: S3Location,
  body: Readable,
  size: number,
  signal: AbortSignal,
): Promise<string | null> {
  const response = await send(location, 'PUT', location.key, {
    headers: { 'content-length': String(size), 'content-type': 'application/octet-stream' },
    body,
    signal,
  });
  expectOk(response);
  discard(response);
  // Of encrypted objects it is a digest of something else.
  if (response.headers['x-amz-server-side-encryption'] !== undefined) return null;
  return /^"?([0-9a-f]{32})"?$/.exec(String(response.headers.etag))?.[1] ?? null;
}

async function putBuffered<T>(
  options: Options,
  source: { chunks: AsyncIterable<Buffer> },
  send: (stream: Readable) => Promise<T>,
): Promise<T> {
  const directory = await mkdtemp(join(options.s3_store_object_buffer_dir ?? tmpdir(), 'glance-s3-'));
  try {
    const path = join(directory, 'data');
    await pipeline(source.chunks, createWriteStream(path, { mode: 0o600 }));
    return await send(createReadStream(path));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function ownPlace(options: Options): Omit<S3Location, 'key'> | null {
  const { s3_store_host, s3_store_access_key, s3_store_secret_key, s3_store_bucket } = options;
  if (!s3_store_host || !s3_store_access_key || !s3_store_secret_key || !s3_store_bucket) return null;
  return {
    scheme: s3_store_host.startsWith('https://') ? 's3+https' : 's3',
    accessKey: s3_store_access_key,
    secretKey: s3_store_secret_key,
    service: s3_store_host.replace(/^https?:\/\//, '').replace(/\/+$/, ''),
    bucket: s3_store_bucket,
  };
}

/** `s3://access:secret@host/bucket/key`; the secret may hold slashes. @throws BadStoreUri */
export function parseS3Location(text: string): S3Location {
  const match = /^(s3|s3\+https?):\/\/([^:/@]+):(.+)@([^@]+)\/([^/@]+)\/([^/@]+)$/is.exec(text);
  if (!match || text.split('://').length !== 2) throw storeFault('BadStoreUri');
  const [, scheme = '', accessKey = '', secretKey = '', service = '', bucket = '', key = ''] = match;
  return { scheme: scheme.toLowerCase() as S3Location['scheme'], accessKey, secretKey, service, bucket, key };
}

const formatS3Location = (location: S3Location): string =>
  `${location.scheme}://${location.accessKey}:${location.secretKey}@${location.service}/${location.bucket}/${location.key}`;

function addressOf(location: S3Location, key: string | null, format: string): URL {
  const protocol = location.scheme === 's3+https' ? 'https' : 'http';
  const name = key === null ? '' : encodeURIComponent(key);
  const [host = '', ...path] = location.service.split('/');
  const prefix = path.length > 0 ? `/${path.join('/')}` : '';
  return format === 'subdomain'
    ? new URL(`${protocol}://${location.bucket}.${host}${prefix}/${name}`)
    : new URL(`${protocol}://${host}${prefix}/${location.bucket}/${name}`);
}

function expectOk(response: DoorAnswer): void {
  const status = response.status;
  if (status < 300) return;
  discard(response);
  if (status === 404) throw storeFault('ImageDataNotFound');
  throw storeFault('BackendError', {}, { message: `The image store answered with status ${status}.` });
}
