import { systemClock } from '@folsom/core';

/** Requests of 2012 pass through two daemons of Python on a busy machine. */
const ANSWER_MS = 120_000;
/** How long one waits for what was accepted. */
export const WAIT_MS = 180_000;
const PAUSE_MS = 300;

export interface Answer {
  status: number;
  headers: Headers;
  bytes: Buffer;
  // biome-ignore lint/suspicious/noExplicitAny: answers of every shape
  json: any;
}

export interface Asked {
  body?: unknown;
  raw?: Uint8Array;
  headers?: Record<string, string>;
  /** What it must answer. Default: any 2xx. */
  status?: number;
}

/** Asks one service; throws with what it said when that is not what was expected. */
export type Caller = (method: string, path: string, asked?: Asked) => Promise<Answer>;

/** @param base URL that paths are put behind */
export const caller =
  (base: string, token: string): Caller =>
  async (method, path, { body, raw, headers = {}, status } = {}) => {
    const sent = body === undefined ? raw : Buffer.from(JSON.stringify(body));
    const answer = await fetch(base + path, {
      method,
      headers: {
        accept: 'application/json',
        ...(token === '' ? {} : { 'x-auth-token': token }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(sent === undefined ? {} : { body: Buffer.from(sent) }),
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    const bytes = Buffer.from(await answer.arrayBuffer());
    const isJson = answer.headers.get('content-type')?.includes('json') ?? false;
    const right = status === undefined ? answer.ok : answer.status === status;
    if (!right) {
      const wanted = status === undefined ? '' : `, not ${status}`;
      throw new Error(`${method} ${path}: ${answer.status}${wanted} ${bytes.toString().slice(0, 300)}`);
    }
    return {
      ...{ status: answer.status, headers: answer.headers, bytes },
      json: isJson && bytes.length > 0 ? JSON.parse(bytes.toString()) : undefined,
    };
  };

/** Waits until a question has an answer; `what` is said when it never has. */
export async function until<T>(what: string, ask: () => Promise<T | undefined>): Promise<T> {
  const end = systemClock.monotonic() + WAIT_MS;
  for (;;) {
    const found = await ask();
    if (found !== undefined) return found;
    if (systemClock.monotonic() > end) throw new Error(`never: ${what}`);
    await systemClock.sleep(PAUSE_MS);
  }
}

/** @throws with both when they are not the same */
export function same(what: string, found: unknown, wanted: unknown): void {
  const [a, b] = [JSON.stringify(found), JSON.stringify(wanted)];
  if (a !== b) throw new Error(`${what} is ${a}, not ${b}`);
}
