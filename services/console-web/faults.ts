import { catalogue, type Fault } from '@folsom/core';
import type { RenderedFault } from '@folsom/http';
import type { FastifyRequest } from 'fastify';

/** What the console itself refuses; a service's faults reach the page as they are. The page has its own words for each name. */
export const fault = catalogue({
  NotLoggedIn: { status: 401, text: 'Log in first.' },
  WrongCredentials: { status: 401, text: 'The user name or the password is wrong.' },
  TooManyFailures: { status: 429, text: 'Too many logins failed. Try again in a minute.' },
  CrossSite: { status: 403, text: 'The request did not come from a page of this console.' },
  NoProject: { status: 403, text: 'You are a member of no project that is enabled.' },
  AdminsOnly: { status: 403, text: 'Only administrators may see this.' },
  NoSuchService: { status: 404, text: 'This cloud has no such service.' },
  BadRequest: { status: 400, text: 'The request cannot be understood.' },
  Unreachable: { status: 502, text: 'The service %(service)s does not answer.' },
  Refused: { status: 502, text: 'The service %(service)s refused: %(reason)s' },
  NoTempUrl: { status: 409, text: 'This account has no key for temporary URLs, and you may not set one.' },
});

export function renderFault(error: Fault, request: FastifyRequest): RenderedFault {
  return {
    status: error.status,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store', ...error.headers },
    body: JSON.stringify({
      error: { name: error.name, code: error.status, message: error.message, requestId: request.requestId },
    }),
  };
}
