import type { Clock } from '@folsom/core';
import { type Call, type InternalResponse, InternalTimeout, type OpenRequest, type Target } from './calls.ts';
import { LocalBody, localHeaders, withLength } from './local-servers.ts';
import {
  bodyOf,
  ClientDisconnected,
  EMPTY_BODY,
  REASONS,
  type ServerHandler,
  type ServerRequest,
  type ServerResponse,
} from './message.ts';
import { isLent } from './slabs.ts';

/** A promise that must settle within a time, or the wait for it fails. */
function within<T>(work: Promise<T>, ms: number, target: Target, clock: Clock): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(ms, () =>
      reject(new InternalTimeout(`${target.ip}:${target.port} did not answer within ${ms} ms`)),
    );
    work.then(
      value => {
        timer.cancel();
        resolve(value);
      },
      error => {
        timer.cancel();
        reject(error);
      },
    );
  });
}

const serverRequest = (
  target: Target,
  call: Omit<Call, 'body'>,
  body: ServerRequest['body'],
): ServerRequest => ({
  method: call.method,
  target: call.path,
  version: '1.1',
  headers: localHeaders(call.headers),
  body,
  remoteAddress: target.ip,
});

function arrived(response: ServerResponse, method: string): InternalResponse {
  const { status, reason, headers, body } = withLength(response);
  const none = method === 'HEAD' || status === 204 || status === 304;
  if (none && body !== null && !Buffer.isBuffer(body)) body.cancel();
  return {
    status,
    reason: reason ?? REASONS[status] ?? '',
    headers,
    body: none || body === null ? EMPTY_BODY : Buffer.isBuffer(body) ? bodyOf(body) : body,
    whole: !none && Buffer.isBuffer(body) && body.length > 0 ? body : null,
  };
}

/** A request to a server of this process. */
export async function requestHere(
  handler: ServerHandler,
  target: Target,
  call: Call,
  clock: Clock,
): Promise<InternalResponse> {
  const request = serverRequest(target, call, call.body?.length ? bodyOf(call.body) : EMPTY_BODY);
  if (
    call.body !== undefined ||
    (call.method !== 'GET' && call.method !== 'HEAD' && call.method !== 'DELETE')
  ) {
    request.headers.set('content-length', String(call.body?.length ?? 0));
  }
  return arrived(await within(handler(request), call.timeoutMs, target, clock), call.method);
}

/** An upload to a server of this process. */
export async function openHere(
  handler: ServerHandler,
  target: Target,
  call: Omit<Call, 'body'>,
  clock: Clock,
): Promise<OpenRequest> {
  const headers = localHeaders(call.headers);
  const chunked = headers.get('transfer-encoding') === 'chunked';
  const body = new LocalBody(chunked ? null : Number(headers.get('content-length') ?? 0));
  const answered = handler(serverRequest(target, call, body));
  // Once there is an answer nobody reads on. A failure is looked at below.
  answered.then(
    () => body.cancel(),
    () => body.cancel(),
  );
  const first = await within(
    Promise.race([body.wanted.then(() => null), answered]),
    call.timeoutMs,
    target,
    clock,
  );
  return {
    early: first === null ? null : arrived(first, call.method),
    // Of a slab the reader has a share of its own.
    keeps: chunk => !isLent(chunk),
    write: async chunk => {
      await within(body.push(chunk), call.timeoutMs, target, clock);
    },
    finish: async timeoutMs => {
      body.end();
      return arrived(await within(answered, timeoutMs ?? call.timeoutMs, target, clock), call.method);
    },
    abort: () => body.fail(new ClientDisconnected('upload given up')),
  };
}
