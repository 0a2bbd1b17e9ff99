import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { Config } from '@folsom/config';
import { catalogue, type Fault, type RunningService, type World } from '@folsom/core';
import { type App, createApp, type RenderedFault } from '@folsom/http';
import { novaOptions } from '@folsom/nova/options';
import { escapeAll } from '@folsom/wire';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Buckets, bucketsIn, isBucketName, isObjectName, ObjectTooLarge } from './buckets.ts';
import { type S3Login, tenantOf } from './caller.ts';
import { bucketsDocument, type Listing, objectsDocument, pageOf } from './listing.ts';

export interface ObjectstoreOptions {
  /** Must know nova's options. */
  config: Config;
  world: World;
  /** Who signed a request. With it a bucket is its tenant's alone; without it, as in Folsom, nobody is asked. */
  login?: S3Login;
}

/** S3's words for what is refused; the statuses are Folsom's. */
const fault = catalogue({
  NoSuchBucket: { status: 404, text: 'The specified bucket does not exist' },
  NoSuchKey: { status: 404, text: 'The specified key does not exist.' },
  BucketAlreadyExists: { status: 403, text: 'The requested bucket name is not available.' },
  BucketNotEmpty: { status: 403, text: 'The bucket you tried to delete is not empty' },
  AccessDenied: { status: 403, text: 'Access Denied' },
  InvalidArgument: { status: 400, text: 'Invalid Argument' },
  EntityTooLarge: { status: 400, text: 'Your proposed upload exceeds the maximum allowed object size.' },
});

const KEYS_MAX = 50_000;
const XML = 'application/xml; charset=UTF-8';

/** nova-objectstore on `s3_listen_port` (3333). */
export async function startObjectstore({
  config,
  world,
  login,
}: ObjectstoreOptions): Promise<RunningService & { app: App }> {
  const settings = config.of(novaOptions);
  await mkdir(settings.buckets_path, { recursive: true, mode: 0o700 });
  // What a former life did not finish.
  await rm(join(settings.buckets_path, '.unfinished'), { recursive: true, force: true });
  const app = createApp({
    name: 'nova-objectstore',
    world,
    renderFault,
    // Its signatures are S3's, and without a login it is, as in Folsom, for the hosts of a cloud alone.
    authenticate: null,
  });
  const service = { access: settings.s3_access_key, secret: settings.s3_secret_key };
  routesOf(
    app,
    bucketsIn(settings.buckets_path, world.random),
    login && (request => tenantOf(request, { login, service, clock: world.clock })),
  );
  const address = await app.listen({ host: settings.s3_listen, port: settings.s3_listen_port });
  return { name: 'nova-objectstore', addresses: [address], app, stop: () => app.stop() };
}

function renderFault({ name, status, message, headers }: Fault, request: FastifyRequest): RenderedFault {
  const code = name === 'RouteNotFound' || name === 'BadUrl' ? 'NoSuchKey' : name;
  const shown = status === 500 ? 'We encountered an internal error. Please try again.' : message;
  return {
    status,
    headers: { ...headers, 'content-type': XML },
    body:
      `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${escapeAll(code)}</Code>` +
      `<Message>${escapeAll(shown)}</Message><RequestId>${escapeAll(request.requestId)}</RequestId></Error>`,
  };
}

type Handler = (
  request: FastifyRequest,
  reply: FastifyReply,
  names: { bucket: string; object: string; tenant: string | undefined },
) => unknown;

function routesOf(
  { server }: App,
  buckets: Buckets,
  caller: ((request: FastifyRequest) => Promise<string | null>) | undefined,
): void {
  /** Whose request it is, if anybody is asked. @throws Fault `AccessDenied` for nobody's, and for what is another's */
  const admitted = async (request: FastifyRequest, bucket: string): Promise<string | undefined> => {
    if (caller === undefined) return undefined;
    const tenant = await caller(request);
    const isOthers = async () =>
      bucket !== '' && (await buckets.has(bucket)) && (await buckets.owner(bucket)) !== tenant;
    if (tenant === null || (await isOthers())) throw fault('AccessDenied');
    return tenant;
  };
  const xml = (reply: FastifyReply, body: string) => reply.header('content-type', XML).send(body);
  const on = (method: 'GET' | 'HEAD' | 'PUT' | 'DELETE', urls: string[], name: string, handler: Handler) => {
    for (const url of urls)
      server.route({
        method,
        url,
        config: { name, stream: method === 'PUT' },
        handler: async (request, reply) => {
          const names = namesIn(request);
          return handler(request, reply, { ...names, tenant: await admitted(request, names.bucket) });
        },
      });
  };
  const bucketUrls = ['/:bucket', '/:bucket/'];
  const objectUrls = ['/:bucket/*'];

  on('GET', ['/'], 'list buckets', async (_request, reply, { tenant }) =>
    xml(reply, bucketsDocument(await buckets.list(tenant))),
  );
  on('GET', bucketUrls, 'list objects', async (request, reply, { bucket }) => {
    const names = await buckets.objects(bucket);
    if (names === null) throw fault('NoSuchBucket');
    const listing = listingOf(request);
    const page = pageOf(names, listing);
    const facts = listing.terse
      ? page.names
      : await Promise.all(page.names.map(name => buckets.facts(bucket, name)));
    const objects = facts.filter(one => one !== null);
    return xml(reply, objectsDocument(bucket, listing, { truncated: page.truncated, objects }));
  });
  on('HEAD', bucketUrls, 'look at a bucket', async (_request, reply, { bucket }) => {
    if (!(await buckets.has(bucket))) throw fault('NoSuchBucket');
    return reply.send();
  });
  on('PUT', bucketUrls, 'create a bucket', async (_request, reply, { bucket, tenant }) => {
    if (!(await buckets.create(bucket, tenant))) throw fault('BucketAlreadyExists');
    return reply.code(200).send();
  });
  on('DELETE', bucketUrls, 'delete a bucket', async (_request, reply, { bucket }) => {
    const outcome = await buckets.remove(bucket);
    if (outcome === 'missing') throw fault('NoSuchBucket');
    if (outcome === 'in use') throw fault('BucketNotEmpty');
    return reply.code(204).send();
  });
  for (const method of ['GET', 'HEAD'] as const)
    on(method, objectUrls, 'read an object', async (_request, reply, { bucket, object }) => {
      const found = await buckets.read(bucket, object);
      if (found === null) throw fault('NoSuchKey');
      if (method === 'HEAD') found.body.destroy();
      reply
        .header('content-type', 'application/unknown')
        .header('content-length', found.facts.size)
        .header('last-modified', new Date(found.facts.modified).toUTCString());
      return reply.send(method === 'HEAD' ? undefined : found.body);
    });
  on('PUT', objectUrls, 'write an object', async (request, reply, { bucket, object, tenant }) => {
    const write = buckets.write(bucket, object, bodyOf(request), tenant);
    const md5 = await write.catch((error: NodeJS.ErrnoException) => {
      if (error instanceof ObjectTooLarge) throw fault('EntityTooLarge');
      // A folder stands where the object should, or an object where a folder should.
      if (['EISDIR', 'ENOTDIR', 'EEXIST', 'ENOTEMPTY'].includes(error.code ?? ''))
        throw fault('AccessDenied');
      throw error;
    });
    if (md5 === null) throw fault('NoSuchBucket');
    return reply.header('etag', `"${md5}"`).send();
  });
  on('DELETE', objectUrls, 'delete an object', async (_request, reply, { bucket, object }) => {
    if (!(await buckets.delete(bucket, object))) throw fault('NoSuchKey');
    return reply.code(204).send();
  });
}

/** @throws Fault `NoSuchBucket`, `NoSuchKey` for names that nothing can have */
function namesIn(request: FastifyRequest): { bucket: string; object: string } {
  const { bucket = '', '*': object = '' } = request.params as Record<string, string>;
  if (bucket !== '' && !isBucketName(bucket)) throw fault('NoSuchBucket');
  if (object !== '' && !isObjectName(object)) throw fault('NoSuchKey');
  return { bucket, object };
}

async function* bodyOf(request: FastifyRequest): AsyncGenerator<Buffer> {
  if (request.body !== undefined && request.body !== null) yield* request.body as Readable;
}

/** @throws Fault `InvalidArgument` */
function listingOf(request: FastifyRequest): Listing {
  const query = new URLSearchParams(request.url.split('?', 2)[1] ?? '');
  const number = (name: string, otherwise: number): number => {
    const text = query.get(name);
    if (text === null) return otherwise;
    if (!/^\d{1,9}$/.test(text)) throw fault('InvalidArgument');
    return Number(text);
  };
  return {
    prefix: query.get('prefix') ?? '',
    marker: query.get('marker') ?? '',
    maxKeys: Math.min(number('max-keys', KEYS_MAX), KEYS_MAX),
    terse: number('terse', 0) !== 0,
  };
}
