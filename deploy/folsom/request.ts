import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';

export interface Asked {
  method: string;
  headers?: Record<string, string>;
  /** Sent as JSON when it is an object. */
  body?: object | Buffer | Readable;
  timeoutMs: number;
}

export interface Told {
  status: number;
  text: string;
}

/** One request to a service of the cloud. Not `fetch`: that refuses some of the ports an offset can lead to. */
export async function request(url: string, asked: Asked): Promise<Told> {
  const { body } = asked;
  const raw = body === undefined || body instanceof Readable || Buffer.isBuffer(body);
  const call = (url.startsWith('https:') ? https : http).request(url, {
    method: asked.method,
    headers: {
      accept: 'application/json',
      ...(raw ? {} : { 'content-type': 'application/json' }),
      ...asked.headers,
    },
    signal: AbortSignal.timeout(asked.timeoutMs),
  });
  const answered = once(call, 'response') as Promise<[http.IncomingMessage]>;
  // A refusal may come before the body was taken; what it says counts then.
  if (body instanceof Readable) await Promise.race([pipeline(body, call), answered]);
  else call.end(raw ? body : JSON.stringify(body));
  const [response] = await answered;
  return { status: response.statusCode ?? 0, text: await text(response) };
}

/** @throws Error with status and text for anything but 2xx and what `also` allows */
export async function requestJson(url: string, asked: Asked, also: readonly number[] = []): Promise<unknown> {
  const { status, text: answer } = await request(url, asked);
  if (Math.floor(status / 100) !== 2 && !also.includes(status))
    throw new Error(`${asked.method} ${url}: ${status} ${answer.slice(0, 200)}`);
  return answer === '' ? {} : JSON.parse(answer);
}
