import { request as httpRequest, type IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** An image as the v1 API describes it; unknown fields are kept. */
export interface ImageMeta extends Record<string, unknown> {
  id: string;
  status?: string;
  size?: number | string;
  properties?: Record<string, unknown>;
}

/** A glance server as an administrator sees it through its v1 API. */
export interface RemoteGlance {
  /** Every image, public or not. */
  images(): AsyncGenerator<ImageMeta>;
  /** What the headers say of an image; undefined when there is none. */
  head(id: string): Promise<ImageMeta | undefined>;
  data(id: string): Promise<Readable>;
  /** False when the server has an image of that id. */
  add(image: ImageMeta, data: Readable): Promise<boolean>;
  update(image: ImageMeta): Promise<void>;
}

/** A connection on which nothing moves for this long is given up. */
const SILENCE_MS = 60_000;
const ANSWER_BYTES_MAX = 16 * 1024 * 1024;

/** How header values are written: Python's truth values, nothing for nothing. */
export function headerText(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  return String(value);
}

export function remoteGlance(server: string, token: string): RemoteGlance {
  const [, host, port] = /^\[?([^\]]+?)\]?:(\d{1,5})$/.exec(server) ?? [];
  if (host === undefined) throw new Error(`${JSON.stringify(server)} is not server:port`);

  const send = (
    method: string,
    path: string,
    headers: Record<string, string> = {},
    body?: Readable,
  ): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const outgoing = httpRequest(
        {
          host,
          port: Number(port),
          method,
          path,
          headers: { ...(token ? { 'x-auth-token': token } : {}), ...headers },
          timeout: SILENCE_MS,
        },
        resolve,
      );
      outgoing.once('timeout', () => outgoing.destroy(new Error(`${server} does not answer`)));
      outgoing.once('error', reject);
      if (body === undefined) outgoing.end();
      else pipeline(body, outgoing).catch(reject);
    });

  /** Reads an answer to its end; anything but success and the statuses allowed is an error. */
  const finish = async (answer: IncomingMessage, ...allowed: number[]): Promise<string> => {
    const parts: Buffer[] = [];
    let bytes = 0;
    for await (const part of answer as AsyncIterable<Buffer>) {
      bytes += part.length;
      if (bytes > ANSWER_BYTES_MAX) throw new Error(`${server} answers more than ${ANSWER_BYTES_MAX} bytes`);
      parts.push(part);
    }
    const text = Buffer.concat(parts).toString('utf8');
    const status = answer.statusCode ?? 0;
    if (status === 401 || status === 403) throw new Error(`${server} refuses the token: ${text.trim()}`);
    if ((status < 200 || status > 299) && !allowed.includes(status)) {
      throw new Error(`${server} answers ${status}: ${text.trim().slice(0, 500)}`);
    }
    return text;
  };

  return {
    images: async function* () {
      for (let marker = ''; ; ) {
        const query = `is_public=None${marker ? `&marker=${encodeURIComponent(marker)}` : ''}`;
        const text = await finish(await send('GET', `/v1/images/detail?${query}`));
        const { images = [] } = JSON.parse(text) as { images?: ImageMeta[] };
        yield* images;
        const last = images.at(-1)?.id;
        if (last === undefined || last === marker) return;
        marker = last;
      }
    },
    head: async id => {
      const answer = await send('HEAD', `/v1/images/${encodeURIComponent(id)}`);
      await finish(answer, 404);
      return answer.statusCode === 404 ? undefined : fromHeaders(answer.headers);
    },
    data: async id => {
      const answer = await send('GET', `/v1/images/${encodeURIComponent(id)}`);
      if (answer.statusCode !== 200) await finish(answer);
      return answer;
    },
    add: async (image, data) => {
      const headers = {
        ...toHeaders(image),
        'content-type': 'application/octet-stream',
        'content-length': headerText(image.size ?? 0),
      };
      const answer = await send('POST', '/v1/images', headers, data);
      await finish(answer, 409);
      return answer.statusCode !== 409;
    },
    update: async image => {
      const headers = {
        ...toHeaders(image),
        'content-type': 'application/octet-stream',
        'content-length': '0',
      };
      await finish(await send('PUT', `/v1/images/${encodeURIComponent(image.id)}`, headers));
    },
  };
}

const META = 'x-image-meta-';
const PROPERTY = 'x-image-meta-property-';

function fromHeaders(headers: IncomingMessage['headers']): ImageMeta {
  const image: ImageMeta = { id: '' };
  const properties: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(headers)) {
    // Header bytes are UTF-8; node reads them as Latin-1.
    const text = Buffer.from(String(value), 'latin1').toString('utf8');
    if (name.startsWith(PROPERTY)) properties[name.slice(PROPERTY.length)] = text;
    else if (name.startsWith(META)) image[name.slice(META.length)] = text;
  }
  return { ...image, properties };
}

function toHeaders({ properties, ...fields }: ImageMeta): Record<string, string> {
  const bytes = (value: unknown) => Buffer.from(headerText(value), 'utf8').toString('latin1');
  return Object.fromEntries([
    ...Object.entries(fields).map(([name, value]): [string, string] => [`${META}${name}`, bytes(value)]),
    ...Object.entries(properties ?? {}).map(([name, value]): [string, string] => [
      `${PROPERTY}${name}`,
      bytes(value),
    ]),
  ]);
}
