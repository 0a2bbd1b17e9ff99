import { Fault, isFault } from '@folsom/core';
import type { RenderedFault } from '@folsom/http';
import { genericXml, NOVA_NS } from '@folsom/wire/nova-xml';
import { webobAnswer } from '@folsom/wire/webob-page';
import type { FastifyRequest } from 'fastify';
import { answerFormat } from './accept.ts';

/** Names of the outer element by status; any other status is a computeFault. */
const FAULT_NAMES: Record<number, string> = {
  400: 'badRequest',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'itemNotFound',
  405: 'badMethod',
  409: 'conflictingRequest',
  413: 'overLimit',
  415: 'badMediaType',
  501: 'notImplemented',
  503: 'serviceUnavailable',
};

/** What Folsom says where a fault has no text of its own. */
const TEXTS: Record<number, string> = {
  400: 'The server could not comply with the request since it is either malformed or otherwise incorrect.',
  403: 'Access was denied to this resource.',
  404: 'The resource could not be found.',
  409: 'There was a conflict when trying to complete your request.',
  413: 'The body of your request was too large for this server.',
  422: 'Unable to process the contained instructions',
  500: 'The server has either erred or is incapable of performing the requested operation.',
  501: 'The server has either erred or is incapable of performing the requested operation.',
};

const make = (name: string, status: number) => (message?: string) =>
  new Fault(name, status, message ?? TEXTS[status] ?? '', { values: { plain: message === undefined } });

/** Answers of the HTTP layer, each with Folsom's text when none is given. */
export const badRequest = make('HTTPBadRequest', 400);
export const forbidden = make('HTTPForbidden', 403);
export const notFound = make('HTTPNotFound', 404);
export const conflict = make('HTTPConflict', 409);
export const unprocessable = make('HTTPUnprocessableEntity', 422);
export const notImplemented = make('HTTPNotImplemented', 501);

/** What a daemon answered, when that was not what it should be: a message of null where it answered nothing. */
export const unexpectedAnswer = (answer: string | null) =>
  new Fault('HTTPBadRequest', 400, answer ?? '', { values: { nothing: answer === null } });

/** 413; `retryAfter` seconds stand in the header and the body. */
export const tooLarge = (message: string, retryAfter?: number) =>
  new Fault('HTTPRequestEntityTooLarge', 413, message, {
    headers: retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) },
  });

/** The rate limiter's answer, whose body has more to say. */
export const rateLimited = (details: string, retryAfter: number) =>
  new Fault('RateLimited', 413, 'This request was rate-limited.', {
    headers: { 'retry-after': String(retryAfter) },
    values: { details },
  });

/** `Cannot 'pause' while instance is in vm_state stopped` from the state table's own fault. */
export function conflictForState(error: unknown, action: string): never {
  if (isFault(error, 'InstanceInvalidState') || isFault(error, 'InstanceIsLocked')) {
    const { attr, state } = error.values;
    throw conflict(
      attr && state
        ? `Cannot '${action}' while instance is in ${attr} ${state}`
        : `Instance is in an invalid state for '${action}'`,
    );
  }
  throw error;
}

/** Runs the work and words a refused state as a conflict. */
export async function inState<T>(action: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    return conflictForState(error, action);
  }
}

/** Runs the work; a fault of one of these names becomes what its function makes of it. */
export async function translating<T>(
  names: Readonly<Record<string, (error: Fault) => Fault>>,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (isFault(error) && Object.hasOwn(names, error.name)) throw names[error.name]!(error);
    throw error;
  }
}

/** Outer shape of every fault of the compute API. */
export function renderFault(fault: Fault, request: FastifyRequest): RenderedFault {
  if (fault.name === 'RouteNotFound' || fault.name === 'BadUrl') {
    return plain(request, 404, 'Not Found', TEXTS[404]!, '');
  }
  if (fault.name === 'RequestTooLarge') return plain(request, 400, 'Bad Request', fault.message, '', true);
  const status = fault.status;
  const shown = shownText(fault);
  const name = FAULT_NAMES[status] ?? 'computeFault';
  const content: Record<string, unknown> = {
    message: fault.values.nothing === true ? null : shown,
    code: status,
  };
  const retryAfter = fault.headers['retry-after'];
  if (retryAfter !== undefined && retryAfter !== '0') content.retryAfter = retryAfter;
  if (fault.name === 'RateLimited') content.details = fault.values.details;
  const { format } = answerFormat(request.url, request.headers.accept);
  const headers: Record<string, string> = {
    ...fault.headers,
    'content-type': `application/${format}; charset=UTF-8`,
  };
  if (request.token) headers['x-compute-request-id'] = request.requestId;
  return {
    status,
    headers,
    body:
      format === 'xml'
        ? genericXml(
            { [name]: content },
            {
              xmlns: NOVA_NS.v11,
              attributes: { [name]: fault.name === 'RateLimited' ? ['code', 'retryAfter'] : ['code'] },
            },
          )
        : JSON.stringify({ [name]: content }),
  };
}

/** Users never see what broke inside; the request id is in the log with the whole story. */
function shownText(fault: Fault): string {
  // What no handler worded: Folsom shows the text of a bad or forbidden request, and a general one for the rest.
  if (fault.module === 'nova.exception' && fault.status !== 400 && fault.status !== 403) {
    return TEXTS[fault.status] ?? TEXTS[500]!;
  }
  if (fault.status < 500 || fault.name.startsWith('HTTP')) return fault.message;
  return fault.status === 503 ? fault.message : TEXTS[500]!;
}

/** An answer of the layers in front of the API: text, or HTML for those who ask for it. */
export function plain(
  request: FastifyRequest,
  status: number,
  reason: string,
  explanation: string,
  detail: string,
  always = false,
): RenderedFault {
  const accept = always ? undefined : request.headers.accept;
  const { type, body } = webobAnswer({ status, reason, explanation, detail }, accept);
  return { status, headers: { 'content-type': type }, body };
}
