import type { Readable } from 'node:stream';
import { catalogue, must, type RequestContext } from '@folsom/core';
import { request } from 'undici';
import { imageFromHeaders, imageFromJson, imageHeaders, imagePath, imageServers } from './image-wire.ts';
import type { ImageWire } from './rpc/wire.ts';

/** The image service as daemons that carry bytes use it: as streams, at their own pace, with no limit to a whole answer. */
export interface ImageClient {
  show(context: RequestContext, imageId: string): Promise<ImageWire>;
  /** The image's bytes. */
  download(context: RequestContext, imageId: string, signal?: AbortSignal): Promise<Readable>;
  /** Gives a queued image its bytes and facts. */
  upload(
    context: RequestContext,
    imageId: string,
    facts: ImageUpload,
    data: Readable,
    signal?: AbortSignal,
  ): Promise<void>;
  delete(context: RequestContext, imageId: string): Promise<void>;
  /** Images with all of these properties, newest first. */
  findByProperties(context: RequestContext, properties: Record<string, string>): Promise<ImageWire[]>;
}

export interface ImageUpload {
  disk_format?: string;
  container_format?: string;
  size?: number;
  properties?: Record<string, string>;
}

const fault = catalogue(
  {
    ImageNotFound: { status: 404, text: 'Image %(image_id)s could not be found.' },
    ImageNotAuthorized: { status: 403, text: 'Not authorized for image %(image_id)s.' },
    GlanceConnectionFailed: {
      status: 503,
      text: 'Connection to glance host %(host)s:%(port)s failed: %(reason)s',
    },
  },
  { module: 'nova.exception' },
);

const HEADERS_TIMEOUT_MS = 30_000;
/** Longest silence within a transfer. */
const BODY_TIMEOUT_MS = 120_000;

/** Speaks v1 with one of the `servers` (`host:port` or URLs), the next one when it does not answer. */
export function imageClient(options: { servers: readonly string[]; retries?: number }): ImageClient {
  const servers = imageServers(options.servers);
  const ask = async (
    context: RequestContext,
    method: 'GET' | 'HEAD' | 'PUT' | 'DELETE',
    path: string,
    extra: { headers?: Record<string, string>; body?: Readable; signal?: AbortSignal | undefined } = {},
  ) => {
    let lastError: unknown;
    const attempts = method === 'PUT' ? 1 : servers.length + (options.retries ?? 0);
    for (let attempt = 0; attempt < attempts; attempt++) {
      const server = must(servers[attempt % servers.length], 'attempt % servers.length is in servers');
      try {
        return await request(`${server}${path}`, {
          method,
          headers: { ...identity(context), ...extra.headers },
          headersTimeout: method === 'PUT' ? 0 : HEADERS_TIMEOUT_MS,
          bodyTimeout: BODY_TIMEOUT_MS,
          ...(extra.body === undefined ? {} : { body: extra.body }),
          ...(extra.signal === undefined ? {} : { signal: extra.signal }),
        });
      } catch (error) {
        lastError = error;
        if (extra.signal?.aborted) throw error;
      }
    }
    const { hostname: host, port } = new URL(servers[0] ?? 'http://nowhere');
    throw fault('GlanceConnectionFailed', {
      host,
      port,
      reason: (lastError as Error)?.message ?? 'no server',
    });
  };
  const check = async (imageId: string, answer: Awaited<ReturnType<typeof ask>>) => {
    if (answer.statusCode < 300) return;
    await answer.body.dump();
    if (answer.statusCode === 404) throw fault('ImageNotFound', { image_id: imageId });
    if (answer.statusCode === 401 || answer.statusCode === 403) {
      throw fault('ImageNotAuthorized', { image_id: imageId });
    }
    throw fault('GlanceConnectionFailed', {
      host: 'glance',
      port: '',
      reason: `status ${answer.statusCode}`,
    });
  };
  return {
    async show(context, imageId) {
      const answer = await ask(context, 'HEAD', imagePath(imageId));
      await check(imageId, answer);
      await answer.body.dump();
      return imageFromHeaders(answer.headers);
    },
    async download(context, imageId, signal) {
      const answer = await ask(context, 'GET', imagePath(imageId), { signal });
      await check(imageId, answer);
      return answer.body;
    },
    async upload(context, imageId, facts, data, signal) {
      const headers = {
        ...imageHeaders(facts),
        'content-type': 'application/octet-stream',
        'x-glance-registry-purge-props': 'false',
      };
      const answer = await ask(context, 'PUT', imagePath(imageId), { headers, body: data, signal });
      await check(imageId, answer);
      await answer.body.dump();
    },
    async delete(context, imageId) {
      const answer = await ask(context, 'DELETE', imagePath(imageId));
      await check(imageId, answer);
      await answer.body.dump();
    },
    async findByProperties(context, properties) {
      const query = Object.entries(properties).map(
        ([name, value]) => `property-${encodeURIComponent(name)}=${encodeURIComponent(value)}`,
      );
      const found: ImageWire[] = [];
      for (let marker = ''; ; ) {
        const parts = [
          ...query,
          'sort_key=created_at',
          'sort_dir=desc',
          'limit=100',
          ...(marker ? [marker] : []),
        ];
        const answer = await ask(context, 'GET', `/v1/images/detail?${parts.join('&')}`);
        await check('', answer);
        const { images } = (await answer.body.json()) as { images: Record<string, unknown>[] };
        found.push(...images.map(imageFromJson));
        if (images.length < 100) return found;
        marker = `marker=${must(found.at(-1), 'found is not empty').id}`;
      }
    },
  };
}

function identity(context: RequestContext): Record<string, string> {
  const headers: Record<string, string> = {};
  if (context.authToken) headers['x-auth-token'] = context.authToken;
  if (context.userId) headers['x-user-id'] = context.userId;
  if (context.projectId) headers['x-tenant-id'] = context.projectId;
  if (context.roles.length > 0) headers['x-roles'] = context.roles.join(',');
  headers['x-identity-status'] = 'Confirmed';
  // The image service logs the request under the id of the work it belongs to.
  headers['x-openstack-request-id'] = context.requestId;
  if (context.traceparent !== null) headers.traceparent = context.traceparent;
  return headers;
}
