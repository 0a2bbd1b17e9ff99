import { Fault, must } from '@folsom/core';
import type { RenderedFault } from '@folsom/http';
import { genericXml, NOVA_NS } from '@folsom/wire/nova-xml';
import { webobAnswer } from '@folsom/wire/webob-page';
import type { FastifyRequest } from 'fastify';
import { answerFormat } from './accept.ts';
import { withStatus } from './statuses.ts';

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

/** An answer of the HTTP layer by its status, with Folsom's text for it when none is given. */
export const httpFault = (status: number, message?: string): Fault => make(`HTTP${status}`, status)(message);

/** Answers of the HTTP layer, each with Folsom's text when none is given. */
export const badRequest = make('HTTPBadRequest', 400);
export const notFound = make('HTTPNotFound', 404);
export const unprocessable = make('HTTPUnprocessableEntity', 422);
export const notImplemented = make('HTTPNotImplemented', 501);

/** The rate limiter's answer, whose body has more to say. */
export const rateLimited = (details: string, retryAfter: number) =>
  new Fault('RateLimited', 413, 'This request was rate-limited.', {
    headers: { 'retry-after': String(retryAfter) },
    values: { details },
  });

/** Outer shape of every fault of the compute API. */
export function renderFault(thrown: Fault, request: FastifyRequest): RenderedFault {
  const fault = withStatus(thrown);
  if (fault.name === 'RouteNotFound' || fault.name === 'BadUrl') {
    return plain(request, 404, 'Not Found', must(TEXTS[404], 'every status that is used has its text'), '');
  }
  if (fault.name === 'RequestTooLarge') return plain(request, 400, 'Bad Request', fault.message, '', true);
  const status = fault.status;
  const shown = shownText(fault, request.requestId);
  const name = FAULT_NAMES[status] ?? 'computeFault';
  const content: Record<string, unknown> = {
    message: fault.name === 'UnexpectedHostAnswer' ? (fault.values.answer ?? null) : shown,
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

/** Users never see what broke inside; the log has the whole story under the request's id. */
function shownText(fault: Fault, requestId: string): string {
  // What no handler worded: Folsom shows the text of a bad or forbidden request, and a general one for the rest.
  if (fault.module === 'nova.exception' && fault.status !== 400 && fault.status !== 403) {
    return TEXTS[fault.status] ?? must(TEXTS[500], 'every status that is used has its text');
  }
  if (fault.status < 500 || fault.name.startsWith('HTTP')) return fault.message;
  return fault.status === 503 ? fault.message : `${TEXTS[500]} (request ${requestId})`;
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
