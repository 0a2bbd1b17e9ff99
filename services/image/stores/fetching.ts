import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP } from 'node:net';
import type { Readable } from 'node:stream';
import type { AddressGuard } from './addresses.ts';
import { storeFault } from './store.ts';

const CONNECT_AND_ANSWER_MS = 30_000;
const IDLE_MS = 60_000;

export interface FetchOptions {
  method: string;
  headers?: Record<string, string>;
  body?: Readable | Buffer | AsyncIterable<Buffer>;
  /** Given for addresses that users name. */
  guard?: AddressGuard | undefined;
  signal?: AbortSignal;
}

/**
 * One HTTP exchange with an image source or a store. The body of the answer is not read.
 *
 * @throws SourceRefused for an address the guard refuses; BackendError when there is no answer.
 */
export async function fetchFrom(url: URL, options: FetchOptions): Promise<IncomingMessage> {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  // A literal address never reaches the lookup function.
  if (options.guard && isIP(host) !== 0 && !options.guard.allows(host)) throw storeFault('SourceRefused');
  const settings: RequestOptions = {
    method: options.method,
    host,
    port: url.port === '' ? undefined : Number(url.port),
    path: `${url.pathname}${url.search}`,
    headers: { host: url.host, ...options.headers },
    timeout: CONNECT_AND_ANSWER_MS,
    agent: false,
    ...(options.guard ? { lookup: options.guard.lookup } : {}),
    ...(options.signal ? { signal: options.signal } : {}),
  };
  return new Promise((resolve, reject) => {
    const fail = (error: unknown) =>
      reject(
        (error as Error)?.name === 'SourceRefused' ? error : storeFault('BackendError', {}, { cause: error }),
      );
    const request = (url.protocol === 'https:' ? httpsRequest : httpRequest)(settings);
    request.on('timeout', () => request.destroy(new Error('no answer in time')));
    request.on('error', fail);
    request.on('response', response => {
      request.setTimeout(IDLE_MS);
      resolve(response);
    });
    sendBody(request, options.body).catch(error => {
      request.destroy(error as Error);
      reject(error);
    });
  });
}

async function sendBody(request: ReturnType<typeof httpRequest>, body: FetchOptions['body']): Promise<void> {
  if (body === undefined || Buffer.isBuffer(body)) {
    request.end(body);
    return;
  }
  for await (const chunk of body) {
    if (request.destroyed) return;
    if (!request.write(chunk)) await drained(request);
  }
  request.end();
}

const drained = (request: ReturnType<typeof httpRequest>): Promise<void> =>
  new Promise(resolve => {
    const done = () => {
      request.off('drain', done);
      request.off('close', done);
      resolve();
    };
    request.once('drain', done);
    request.once('close', done);
  });

/** Reads an answer of bounded size. */
export async function textOf(response: IncomingMessage, bytesMax = 16 * 1024 * 1024): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const part of response) {
    const chunk = part as Buffer;
    size += chunk.byteLength;
    if (size > bytesMax) throw storeFault('BackendError');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Lets an answer's body go by. */
export const discard = (response: IncomingMessage): void => {
  response.resume();
};
