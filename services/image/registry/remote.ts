import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { ImageContext } from '../context.ts';
import { registryFailure } from '../faults.ts';
import type { ImageMeta } from '../image.ts';
import { membershipsBody } from './local.ts';
import type { Registry, UpdateOptions } from './registry.ts';

export interface RemoteRegistryOptions {
  host: string;
  port: number;
  protocol: 'http' | 'https';
  tls?: { key?: Buffer; cert?: Buffer; ca?: Buffer };
  /** Token for callers that have none (tools, recovery). */
  serviceToken?: () => Promise<string | null>;
  timeoutMs?: number;
}

const TIMEOUT_MS = 30_000;
const ANSWER_BYTES_MAX = 64 * 1024 * 1024;

/** Conditions only our own registry understands; the original ignores the headers. */
export const EXPECTED_STATUS_HEADER = 'x-glance-registry-expected-status';
export const WITHOUT_LOCATION_HEADER = 'x-glance-registry-without-location';

interface Call {
  method: string;
  path: string;
  token: string | null;
  payload: Buffer | undefined;
  headers: Record<string, string>;
}

class KeptConnectionClosed extends Error {}

/** A glance-registry, ours or the original, spoken to over its REST interface. */
export function remoteRegistry(options: RemoteRegistryOptions): Registry & { close(): void } {
  const secure = options.protocol === 'https';
  const agent = secure
    ? new HttpsAgent({ keepAlive: true, maxSockets: 64, ...options.tls })
    : new HttpAgent({ keepAlive: true, maxSockets: 64 });
  // 0.0.0.0 is where a server listens; a client reaches it on this machine.
  const host = options.host === '0.0.0.0' ? '127.0.0.1' : options.host;

  /** One request and its answer. @throws KeptConnectionClosed */
  const exchange = ({ method, path, token, payload, headers }: Call) =>
    new Promise<{ status: number; text: string }>((resolve, reject) => {
      const request = (secure ? httpsRequest : httpRequest)({
        agent,
        host,
        port: options.port,
        method,
        path,
        timeout: options.timeoutMs ?? TIMEOUT_MS,
        headers: {
          ...(token ? { 'x-auth-token': token } : {}),
          ...(payload ? { 'content-type': 'application/json', 'content-length': payload.byteLength } : {}),
          ...headers,
        },
      });
      request.on('timeout', () => request.destroy(new Error('the registry does not answer')));
      request.on('error', (error: NodeJS.ErrnoException) => {
        const closed = request.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
        reject(closed ? new KeptConnectionClosed('a kept connection was closed', { cause: error }) : error);
      });
      request.on('response', response => {
        const chunks: Buffer[] = [];
        let size = 0;
        response.on('data', (chunk: Buffer) => {
          size += chunk.byteLength;
          if (size > ANSWER_BYTES_MAX) request.destroy(new Error('the registry answers without end'));
          else chunks.push(chunk);
        });
        response.on('error', reject);
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 500, text: Buffer.concat(chunks).toString('utf8') }),
        );
      });
      request.end(payload);
    });

  const send = async (
    context: ImageContext | null,
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<unknown> => {
    const token = context?.authToken ?? (await options.serviceToken?.()) ?? null;
    const payload = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const call = { method, path, token, payload, headers };
    const { status, text } = await exchange(call)
      .catch(error => {
        // A connection kept since the last request that the other end has closed meanwhile says nothing of the registry.
        if (method === 'POST' || !(error instanceof KeptConnectionClosed)) throw error;
        return exchange(call);
      })
      .catch(error => {
        throw registryFailure(503, 'The image registry cannot be reached.', error);
      });
    if (status >= 300) throw registryFailure(status, text);
    if (text === '') return null;
    try {
      return JSON.parse(text);
    } catch (error) {
      throw registryFailure(502, 'The image registry gave an answer that is not JSON.', error);
    }
  };

  const image = async (answer: Promise<unknown>): Promise<ImageMeta> =>
    ((await answer) as { image: ImageMeta }).image;
  const images = async <T>(answer: Promise<unknown>): Promise<T[]> =>
    ((await answer) as { images: T[] }).images;
  const part = encodeURIComponent;

  const update = (
    context: ImageContext,
    id: string,
    values: Record<string, unknown>,
    conditions: UpdateOptions = {},
  ) =>
    image(
      send(
        context,
        'PUT',
        `/images/${part(id)}`,
        { image: values },
        {
          ...(conditions.purgeProperties ? { 'x-glance-registry-purge-props': 'true' } : {}),
          ...(conditions.from ? { [EXPECTED_STATUS_HEADER]: conditions.from.join(',') } : {}),
          ...(conditions.withoutLocation ? { [WITHOUT_LOCATION_HEADER]: 'true' } : {}),
        },
      ),
    );

  return {
    list: (context, params) => images(send(context, 'GET', `/images${query(params)}`)),
    detail: (context, params) => images(send(context, 'GET', `/images/detail${query(params)}`)),
    get: (context, id) => image(send(context, 'GET', `/images/${part(id)}`)),
    add: (context, values) => image(send(context, 'POST', '/images', { image: values })),
    update,
    delete: async (context, id, lastStatus) => {
      const before = await update(context, id, { status: lastStatus });
      await send(context, 'DELETE', `/images/${part(id)}`);
      return before;
    },
    members: async (context, id) =>
      ((await send(context, 'GET', `/images/${part(id)}/members`)) as { members: never[] }).members,
    sharedImages: async (context, tenant) =>
      ((await send(context, 'GET', `/shared-images/${part(tenant)}`)) as { shared_images: never[] })
        .shared_images,
    replaceMembers: async (context, id, body) => {
      await send(context, 'PUT', `/images/${part(id)}/members`, membershipsBody(body));
    },
    addMember: async (context, id, tenant, canShare) => {
      await send(
        context,
        'PUT',
        `/images/${part(id)}/members/${part(tenant)}`,
        canShare === undefined ? undefined : { member: { can_share: canShare } },
      );
    },
    deleteMember: async (context, id, tenant) => {
      await send(context, 'DELETE', `/images/${part(id)}/members/${part(tenant)}`);
    },
    // Any answer, also 401, shows that somebody is there.
    ping: async () => {
      await send(null, 'GET', '/images?limit=0').catch(error => {
        if (error instanceof Error && 'status' in error && Number(error.status) < 500) return;
        throw error;
      });
    },
    close: () => agent.destroy(),
  };
}

function query(params: Record<string, string>): string {
  const text = new URLSearchParams(params).toString();
  return text === '' ? '' : `?${text}`;
}
