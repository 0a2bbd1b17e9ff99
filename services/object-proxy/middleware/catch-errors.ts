import { Fault } from '@folsom/core';
import { answer, brokenBodyAnswer } from '@folsom/swift-http';
import type { Middleware } from './middleware.ts';

/** Gives every answer its X-Trans-Id and keeps browsers from guessing types; turns what nobody caught into a plain 500. */
export const catchErrors: Middleware = (app, _conf, tools) => async request => {
  try {
    const response = await app(request);
    response.headers.set('x-trans-id', request.transId);
    response.headers.set('x-content-type-options', 'nosniff');
    return response;
  } catch (error) {
    const broken = brokenBodyAnswer(error, request);
    if (broken) {
      broken.headers.set('x-trans-id', request.transId);
      broken.headers.set('x-content-type-options', 'nosniff');
      return broken;
    }
    const known = error instanceof Fault && error.status < 500;
    if (!known) tools.log.error('unhandled error', { requestId: request.transId, error });
    return answer(known ? error.status : 500, request, {
      body: known ? error.message : `An error occurred (transaction ${request.transId})`,
      contentType: 'text/plain',
      headers: [
        ['x-trans-id', request.transId],
        ['x-content-type-options', 'nosniff'],
      ],
    });
  }
};
